"""A mapping as the text of a sweep file, such that reading the file gives the mapping again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from luthier.core.errors import BadSweep, Violation, shown_shortly
from luthier.sweeps.checking import spelled
from luthier.sweeps.document import DEEPEST, Document, opened
from luthier.sweeps.scalar import resolved


def written(source: Mapping[str, Any]) -> Document:
    """Return *source* as if it had been read from a file; there are no lines to speak of.

    Raises:
        BadSweep: it holds what a file cannot hold.

    >>> print(written({"parameters": {"lr": {"values": ("1e-3", 0.01)}}}).text)
    parameters:
      lr:
        values:
        - '1e-3'
        - 0.01
    <BLANKLINE>
    """
    text = _dumped(plain(source))
    return opened(text)._replace(lines={})


def plain(value: Any, path: tuple[str | int, ...] = ()) -> Any:
    """Return *value* in dicts, lists, text, numbers, truth values and None; numpy's numbers are numbers.

    Raises:
        BadSweep: there is something else in it, or it is nested too deeply.
    """
    if len(path) > DEEPEST:
        raise BadSweep([Violation(spelled(path[:2]), None, f"it is nested more than {DEEPEST} deep, or holds itself")])
    if value is None or (isinstance(value, (bool, int, float, str)) and type(value).__module__ == "builtins"):
        return value
    if isinstance(value, Mapping):
        for key in value:
            if not isinstance(key, str):
                raise BadSweep([Violation(spelled(path), None, f"the key {key!r:.60} is no text")])
        return {str(key): plain(item, (*path, key)) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset, range)):
        return [plain(item, (*path, place)) for place, item in enumerate(value)]
    convert = getattr(value, "tolist", None)  # numpy's numbers and arrays
    if convert is not None:
        return plain(convert(), path)
    wanted = "text, a number, true, false, None, a list or a dict"
    raise BadSweep(
        [Violation(spelled(path), None, f"{shown_shortly(value, 80)} cannot be written down: give {wanted}")]
    )


def _dumped(value: Any) -> str:
    import yaml

    class Dumper(yaml.SafeDumper):
        """Puts text into quotes that would be read as something else."""

        def ignore_aliases(self, data: Any) -> bool:
            return True

    def text(dumper: yaml.SafeDumper, given: str) -> yaml.ScalarNode:
        quote = "'" if "\n" not in given and resolved(given, lambda _: None) is not given else None
        if not given.replace("\n", "").isprintable():
            quote = '"'  # and escapes
        return dumper.represent_scalar("tag:yaml.org,2002:str", given, style=quote)

    Dumper.add_representer(str, text)
    found: str = yaml.dump(value, Dumper=Dumper, sort_keys=False, allow_unicode=True)
    return found
