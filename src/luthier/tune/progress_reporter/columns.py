"""Which metrics or parameters a table shows, and what their columns are called."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from luthier.core.errors import BadArgument, BadArgumentType


class Columns:
    """Names of metrics or parameters, and for each the head of its column.

    Args:
        argument: what the choice is called, for complaints.
        given: a list of names, or a dict of names and heads; nothing was chosen where None.

    Attributes:
        heads: name to head, in the order of the columns.
        chosen: whether they were given at first, not only added.

    Raises:
        BadArgumentType: *given* is neither.

    >>> columns = Columns("metric_columns", {"loss/train": "loss"})
    >>> columns.add("accuracy", "acc"); columns.heads
    {'loss/train': 'loss', 'accuracy': 'acc'}
    """

    def __init__(self, argument: str, given: Sequence[str] | Mapping[str, str] | None) -> None:
        wanted = "a list of names, or a dict of names and what their columns are called"
        self.chosen, self._argument = given is not None, argument
        self._renames = not isinstance(given, Sequence)
        if given is None or isinstance(given, Mapping):
            self.heads: dict[str, str] = dict(given or {})
        elif isinstance(given, Sequence) and not isinstance(given, str):
            self.heads = {name: name for name in given}
        else:
            raise BadArgumentType(argument, given, wanted)
        if not all(isinstance(text, str) for item in self.heads.items() for text in item):
            raise BadArgumentType(argument, given, wanted)

    def add(self, name: str, head: str | None = None) -> None:
        """Add a column.

        Raises:
            BadArgument: it is there already, or is to have another head than its name beside a list of names.
        """
        argument = self._argument.removesuffix("_columns")
        if name in self.heads:
            raise BadArgument(argument, name, "another one", "there is such a column")
        if head is not None and head != name and not self._renames:
            why = f"{self._argument} was given as a list, so columns are called what they show"
            raise BadArgument("representation", head, f"None, or {self._argument} as a dict", why)
        self.heads[name] = head or name
