"""The description of an experiment, for ``tune.run`` and ``tune.run_experiments``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from luthier.core.errors import BadArgument, BadArgumentType
from luthier.tune.registry import check, resolve

if TYPE_CHECKING:
    from collections.abc import Mapping

ARGUMENTS = frozenset(
    {
        "checkpoint_config",
        "config",
        "export_formats",
        "local_dir",
        "log_to_file",
        "max_failures",
        "num_samples",
        "resources_per_trial",
        "restore",
        "stop",
        "storage_filesystem",
        "storage_path",
        "sync_config",
        "time_budget_s",
        "trial_dirname_creator",
        "trial_name_creator",
    }
)


class Experiment:
    """What to run: a trainable, and what ``tune.run`` is to be told with it.

    Args:
        name: the experiment's name.
        run: what is trained: a function, a ``Trainable`` class, or a registered name.
        spec: arguments of ``tune.run``: ``stop time_budget_s config resources_per_trial num_samples storage_path
            storage_filesystem sync_config checkpoint_config trial_name_creator trial_dirname_creator log_to_file
            max_failures`` and so on.

    Raises:
        BadArgument: *run* cannot be trained, or there is no such argument.

    >>> Experiment("toy", lambda config: {"loss": config["x"]}, config={"x": 1}, num_samples=2).spec["num_samples"]
    2
    """

    PUBLIC_KEYS = frozenset({"num_samples", "stop", "time_budget_s"})

    def __init__(self, name: str, run: Any, **spec: Any) -> None:
        if not isinstance(name, str):
            raise BadArgumentType("name", name, "a text")
        unknown = sorted(spec.keys() - ARGUMENTS)
        if unknown:
            raise BadArgument(unknown[0], spec[unknown[0]], f"one of {', '.join(sorted(ARGUMENTS))}")
        check(resolve(run))
        self.name, self.run, self.spec = name, run, spec

    @classmethod
    def from_json(cls, name: str, spec: Mapping[str, Any]) -> Experiment:
        """Return the experiment that *spec* describes: a dict with ``run`` in it.

        Raises:
            BadArgument: it has no ``run``, or is not to be understood.
        """
        if "run" not in spec:
            raise BadArgument("spec", spec, "a dict with 'run' in it: what is trained")
        given = dict(spec)
        return cls(name, given.pop("run"), **given)

    @property
    def public_spec(self) -> dict[str, Any]:
        """What of the description anybody may know."""
        return {key: value for key, value in self.spec.items() if key in self.PUBLIC_KEYS}
