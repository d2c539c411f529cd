"""TensorBoard: an event file in each trial's directory."""

from __future__ import annotations

import os
import socket
import time
from typing import TYPE_CHECKING, Any

from luthier.core.goal import number
from luthier.core.space import same
from luthier.tune.logger import event_file
from luthier.tune.logger.picture import png
from luthier.tune.logger.tracker import Tracker, for_each

if TYPE_CHECKING:
    from luthier.tune.logger.tracked import Reading, Tracked

EVERY = 2.0  # seconds between two rounds of writing
_UNSAID = frozenset({"time_total_s", "training_iteration"})  # it is the step
_PICTURE, _PICTURES = 3, 4  # dimensions


class TBXLoggerCallback(Tracker):
    """Writes what trials report for TensorBoard: ``tensorboard --logdir EXPERIMENT``.

    Numbers become scalars, lists and arrays of numbers histograms, arrays of shape (channels, height, width) pictures;
    nested metrics have slashes in their names.  Parameters are in TensorBoard's HParams tab from the beginning of a
    trial on.  A trial that goes on after a restart or a failure continues its curves: what it had reported beyond its
    checkpoint is replaced.

    Nothing has to be installed for it but TensorBoard, to look at it (``pip install 'luthier[tensorboard]'``).

    Args:
        prefix: what the names of metrics begin with; Ray Tune's by default.

    Raises:
        BadArgumentType: *prefix* is no text.

    >>> callbacks = [TBXLoggerCallback()]
    """

    def __init__(self, prefix: str = "ray/tune") -> None:
        from luthier.core.errors import BadArgumentType

        if not isinstance(prefix, str):
            raise BadArgumentType("prefix", prefix, "a text that names of metrics begin with, e.g. 'ray/tune'")
        self.prefix = prefix.rstrip("/")
        self._files: dict[str, EventFile] = {}
        self._next = 0.0

    _passing = Tracker._passing | {"_files"}  # noqa: SLF001 (a subclass)

    def setup(
        self, stop: Any = None, num_samples: int | None = None, total_num_samples: int | None = None, **info: Any
    ) -> None:
        """Begin anew."""
        self._files, self._next = {}, 0.0
        super().setup(stop, num_samples, total_num_samples, **info)

    def begin(self, trial: Tracked, known: bool) -> None:
        """Say with what parameters the trial begins."""
        file = self._files.get(trial.trial_id)
        if file is None:
            file = self._files[trial.trial_id] = EventFile(trial.folder)
        now = time.time()
        file.config, changed = trial.config, file.config is not None and not same(file.config, trial.config)
        file.fresh = not changed  # a changed config is no repetition: what came before it stays
        file.add(event_file.event(now, 0, [event_file.hparams_begin(trial.name, now, hparams(trial.config))]))

    def result(self, trial: Tracked, reading: Reading) -> None:
        """Note the values."""
        file = self._files[trial.trial_id]
        at = reading.at or time.time()
        if file.fresh:
            file.fresh = False
            if file.earlier or file.last >= reading.step:
                file.add(event_file.restart(at, reading.step))
        file.last = max(file.last, reading.step)
        said = [value for name, given in reading.values.items() if name not in _UNSAID
                for value in values(f"{self.prefix}/{name}" if self.prefix else name, given)]  # fmt: skip
        file.add(event_file.event(at, reading.step, said))
        if time.monotonic() >= self._next:
            self.flush()

    def end(self, trial: Tracked, failed: bool) -> None:
        """Say how the trial ended."""
        file = self._files[trial.trial_id]
        now = time.time()
        status = event_file.FAILURE if failed else event_file.SUCCESS
        file.add(event_file.event(now, 0, [event_file.hparams_end(status, now)]))
        file.write()  # where it cannot, the file stays among those that are tried again
        del self._files[trial.trial_id]

    def left(self, unfinished: list[Tracked]) -> None:
        """Write what is there."""
        self.flush()

    def flush(self) -> None:
        """Write what is held back; no file stays open."""
        self._next = time.monotonic() + EVERY
        for_each(EventFile.write, list(self._files.values()))


class EventFile:
    """One trial's event file; a new one each time that an experiment goes on.

    Args:
        folder: the trial's directory.

    Attributes:
        earlier: whether an experiment that went on wrote here before.
        last: the last step.
        config: the config of the attempt.
        fresh: whether an attempt has begun that has reported nothing.
    """

    __slots__ = ("_held", "config", "earlier", "folder", "fresh", "last", "path")

    def __init__(self, folder: str) -> None:
        self.folder, self.path = folder, ""
        self.config: dict[str, Any] | None = None
        self.fresh, self.last = True, -1
        names = os.listdir(folder) if os.path.isdir(folder) else []
        mine = [name for name in names if name.endswith(_SUFFIX)]
        self.earlier = bool(mine)
        latest = max((int(name.split(".")[3]) for name in mine if name.split(".")[3].isdigit()), default=0)
        begun = max(int(time.time()), latest + 1)  # TensorBoard reads files in the order of their names
        self.path = os.path.join(folder, f"events.out.tfevents.{begun:010}.{socket.gethostname()}{_SUFFIX}")
        self._held = [event_file.record(event_file.opening(time.time()))]

    def add(self, event: bytes) -> None:
        """Add an event."""
        self._held.append(event_file.record(event))

    def write(self) -> None:
        """Append what is held back.

        Raises:
            OSError: it cannot be written; it is held back further, up to a few thousand events.
        """
        if self._held:
            content = b"".join(self._held)
            del self._held[1 : max(1, len(self._held) - _MOST)]
            os.makedirs(self.folder, exist_ok=True)
            with open(self.path, "ab", buffering=0) as file:
                size = file.tell()
                try:
                    while content:  # a disk that is nearly full takes a part, and refuses the rest
                        content = content[file.write(content) :]
                except OSError:
                    file.truncate(size)  # half a record would hide all that follow
                    raise
            self._held.clear()


_SUFFIX = ".luthier"
_MOST = 10_000  # events that are held back where nothing can be written


def values(tag: str, given: Any) -> list[bytes]:
    """Return what TensorBoard can show of a metric."""
    found = number(given)
    if found is not None:
        return [event_file.scalar(tag, found)]
    if not isinstance(given, list | tuple) and type(given).__module__ != "numpy":
        return []
    import numpy as np

    try:
        array = np.asarray(given)
    except ValueError:  # ragged
        return []
    if not array.size or array.dtype.kind not in "biuf":
        return []
    if array.ndim in (_PICTURE, _PICTURES):
        pictures = [array] if array.ndim == _PICTURE else list(array)
        shown = [(f"{tag}/{i}" if len(pictures) > 1 else tag, png(picture)) for i, picture in enumerate(pictures)]
        return [event_file.image(name, *picture) for name, picture in shown if picture is not None]
    return [event_file.histogram(tag, array)] if np.isfinite(array).all() else []


def hparams(config: dict[str, Any]) -> dict[str, str | bool | float]:
    """Return parameters as TensorBoard knows them: numbers, truth values, and text for the rest.

    >>> hparams({"lr": 0.1, "units": (3, 4), "seed": None})
    {'lr': 0.1, 'units': '(3, 4)', 'seed': 'None'}
    """
    said: dict[str, str | bool | float] = {}
    for name, value in config.items():
        found = value if isinstance(value, bool | str) else number(value)
        said[name] = str(value)[:1000] if found is None else found
    return said
