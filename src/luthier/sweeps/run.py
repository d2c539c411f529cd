"""In a program that is tuned: its parameters, and a way to say how it gets on."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator, Mapping, MutableMapping
from typing import TYPE_CHECKING, Any

from luthier.core.errors import BadArgument, BadArgumentType, LuthierError
from luthier.sweeps.attributes import Parameters, merged
from luthier.sweeps.wire import encode
from luthier.worker.line import line, rank
from luthier.worker.metrics import plain

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

    from luthier.checkpoints.base import Checkpoint
    from luthier.worker.line import Line

_STEP = "_step"


class Summary(MutableMapping[str, Any]):
    """The last value of each metric, and what was set by hand."""

    def __init__(self, agent: Line | None) -> None:
        self._agent = agent
        self._logged: dict[str, Any] = {}
        self._set: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        return self._set[name] if name in self._set else self._logged[name]

    def __setitem__(self, name: str, value: Any) -> None:
        self.update({name: value})

    def __delitem__(self, name: str) -> None:
        del self._set[name]

    def __iter__(self) -> Iterator[str]:
        return iter({**self._logged, **self._set})

    def __len__(self) -> int:
        return len({**self._logged, **self._set})

    def __repr__(self) -> str:
        return repr(dict(self))

    def update(self, *args: Any, **named: Any) -> None:
        """Set several values at once."""
        values = plain(dict(*args, **named))
        self._set.update(values)
        if self._agent is not None:
            self._agent.say({"is": "summary", "values": json.loads(encode(values))})

    def heard(self, row: Mapping[str, Any]) -> None:
        """Remember what was logged."""
        self._logged.update(row)


class Run:
    """One run of a program.

    Args:
        config: its parameters.
        agent: the line to the agent that runs it; None where there is none.
        silent: whether it logs nothing, as one of several processes of a run.

    Attributes:
        config: its parameters: ``run.config.lr`` or ``run.config["lr"]``.
        summary: the last value of each metric; may be set by hand.
        history: what was logged, where no agent listens.
        id: the run's id; ``"local"`` where there is no agent.
        name: its name for people.
        sweep: the sweep's id; None where there is none.
        dir: a directory for what the run writes.
    """

    def __init__(self, config: Mapping[str, Any], agent: Line | None, *, silent: bool = False) -> None:
        self.config = Parameters(config)
        self._agent, self._silent = agent, silent
        self.summary = Summary(None if silent else agent)
        self.history: list[dict[str, Any]] = []
        self.id = os.environ.get("LUTHIER_RUN") or "local"
        self.name = os.environ.get("LUTHIER_RUN_NAME") or self.id
        self.sweep = os.environ.get("LUTHIER_SWEEP") or None
        self.dir = os.environ.get("LUTHIER_RUN_DIR") or os.getcwd()
        self._finished = False

    @property
    def restored(self) -> str | None:
        """The directory of the checkpoint to go on from; None at the beginning."""
        return os.environ.get("LUTHIER_RESTORE") or None

    def log(
        self,
        metrics: Mapping[str, Any],
        step: int | None = None,
        checkpoint: str | os.PathLike[str] | Checkpoint | None = None,
    ) -> None:
        """Log a row of *metrics*.

        Args:
            metrics: name to value: numbers, texts, nested dicts, small arrays.
            step: where on the run's way; rows are in the order in which they come in any case.
            checkpoint: a directory to go on from; copied before this returns.

        Raises:
            BadArgumentType: *metrics* is no dict.
            Stopped: the run is to end early: a ``SystemExit``, so that ``finally`` blocks run and nothing is printed.

        >>> run = Run({"lr": 0.1}, None)
        >>> run.log({"loss": 0.5}); run.summary["loss"]
        0.5
        """
        if not isinstance(metrics, Mapping):
            raise BadArgumentType("metrics", metrics, "a dict such as log({'loss': 0.1})")
        if self._finished:
            raise LuthierError("log() was called after finish()")
        row = plain(metrics)
        if step is not None:
            row[_STEP] = step
        folder = _folder(checkpoint)
        self.summary.heard(row)
        if self._silent:
            return
        if self._agent is None:
            self.history.append(row)
        else:
            self._agent.log(row, folder)

    def finish(self) -> None:
        """Say that nothing more will be logged; a program that ends need not say so."""
        self._finished = True
        _forget(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.finish()


# -- the run of this process -------------------------------------------------------------------------------------------
_lock = threading.Lock()
_now: Run | None = None


def init(config: Any = None, *, all_ranks: bool = False) -> Run:
    """Return the run of this process: started by an agent or, as well, by hand.

    Args:
        config: defaults of the parameters: a dict, or what ``ArgumentParser.parse_args`` returned; what the sweep has
            chosen counts.
        all_ranks: whether all processes of a distributed training log (``RANK`` tells them apart), and not only the
            first.

    Raises:
        BadArgumentType: *config* is neither.

    >>> init({"lr": 0.1}).config.lr
    0.1
    """
    global _now  # noqa: PLW0603 (one process, one run)
    defaults = _defaults(config)
    with _lock:
        if _now is not None:
            for name, value in merged(defaults, _now.config.as_dict()).items():
                _now.config[name] = value
            return _now
        agent = line()
        silent = not all_ranks and rank() > 0
        _now = Run(merged(defaults, _given()), agent, silent=silent)
        return _now


def log(
    metrics: Mapping[str, Any],
    step: int | None = None,
    checkpoint: str | os.PathLike[str] | Checkpoint | None = None,
) -> None:
    """Log a row of *metrics* of the run of this process; see :meth:`Run.log`.

    >>> log({"loss": 0.5})
    """
    (_now or init()).log(metrics, step, checkpoint)


def finish() -> None:
    """Say that nothing more will be logged in this run; the next :func:`init` begins anew.

    >>> finish()
    """
    if _now is not None:
        _now.finish()


def _forget(run: Run) -> None:
    global _now  # noqa: PLW0603 (as above)
    with _lock:
        if _now is run:
            _now = None


def _given() -> dict[str, Any]:
    """Return what the sweep has chosen."""
    path = os.environ.get("LUTHIER_PARAMS")
    if not path:
        return {}
    try:
        with open(path, "rb") as file:
            found = json.load(file)
    except (OSError, ValueError) as error:
        raise LuthierError(f"the parameters in LUTHIER_PARAMS={path!r} cannot be read: {error}") from error
    return dict(found)


def _defaults(config: Any) -> dict[str, Any]:
    if config is None:
        return {}
    if isinstance(config, Mapping):
        return dict(config)
    if hasattr(config, "__dict__") and not isinstance(config, type):  # argparse's Namespace, a dataclass
        return dict(vars(config))
    raise BadArgumentType("config", config, "a dict of defaults, or what parse_args() returned")


def _folder(checkpoint: Any) -> str | None:
    if checkpoint is None:
        return None
    path = getattr(checkpoint, "local_path", checkpoint)
    if not isinstance(path, str | os.PathLike):
        raise BadArgumentType("checkpoint", checkpoint, "a directory")
    if not os.path.isdir(path):
        raise BadArgument("checkpoint", os.fspath(path), "a directory that exists")
    return os.fspath(path)
