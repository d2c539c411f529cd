"""``experiment.json``: what an experiment is, beside what happened in it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import msgspec

from luthier.core.errors import NewerFormat, NotAnExperiment, NotStorable, StoreFailed
from luthier.store.sync import sync_directory
from luthier.store.values import from_json, to_json

FILE_NAME = "experiment.json"
DRIVER_ERROR = "driver-error.txt"  # what ended the driver, its first line for people in a hurry
FORMAT = 1


class ExperimentCard(msgspec.Struct, frozen=True, kw_only=True):
    """What a directory must say to be an experiment.

    Attributes:
        name: name of the experiment.
        trainable: name of what is tuned.
        metrics: what is optimised; empty where nobody said.
        modes: ``"min"`` or ``"max"`` for each of the metrics.
        num_samples: as given to the tuner; -1 for no end.
        seed: root of all random choices.
        prefix: what trial ids begin with.
        created: when, in unix seconds.
        version: version of Luthier that made it.
        format: version of this file.
        space: the search space, for people to read.
        extra: whatever else belongs here; any values that the log can hold.
    """

    name: str
    trainable: str
    metrics: list[str] = []
    modes: list[str] = []
    num_samples: int
    seed: int
    prefix: str
    created: float
    version: str
    format: int = FORMAT
    space: str = ""
    extra: dict[str, Any] = {}

    def write(self, directory: str | os.PathLike[str]) -> Path:
        """Write the card into *directory*, which is made if need be, and return its path.

        A reader finds the old card or the new one, never half of one, whatever happens meanwhile.

        Raises:
            StoreFailed: it cannot be written there.
            NotStorable: a value in ``extra`` cannot be written.

        >>> import tempfile
        >>> card = ExperimentCard(name="a", trainable="f", num_samples=1, seed=0, prefix="x", created=0, version="1")
        >>> with tempfile.TemporaryDirectory() as directory:
        ...     path = card.write(directory)
        ...     path.name, ExperimentCard.read(directory) == card
        ('experiment.json', True)
        """
        target = Path(directory) / FILE_NAME
        words = {f: getattr(self, f) for f in self.__struct_fields__} | {"extra": to_json(self.extra, ("extra",))}
        try:
            text = msgspec.json.format(msgspec.json.encode(words), indent=2) + b"\n"
        except (TypeError, ValueError) as error:
            raise NotStorable(f"the card of experiment {self.name!r} cannot be written: {error}.") from error
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            _replace(target, text)
        except OSError as error:
            raise StoreFailed(
                f"{target} cannot be written: {error.strerror}. Give a storage path that you may write to and that "
                "has room."
            ) from error
        return target

    @classmethod
    def read(cls, directory: str | os.PathLike[str], *, unpickle: bool = True) -> ExperimentCard:
        """Return the card in *directory*.

        Args:
            directory: the experiment's directory.
            unpickle: whether values in ``extra`` that only a pickle can tell are loaded.

        Raises:
            NotAnExperiment: there is none, or what is there is none.
            NewerFormat: it was written by a newer Luthier.
        """
        path = Path(directory) / FILE_NAME
        try:
            text = path.read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            what = "is not there" if not path.parent.exists() else f"holds no {FILE_NAME}"
            raise NotAnExperiment(
                f"{path.parent} is no experiment of Luthier's: it {what}. Give the directory that fit() printed: "
                "<storage_path>/<name>."
            ) from None
        except OSError as error:
            raise NotAnExperiment(f"{path} cannot be read: {error.strerror}.") from error
        try:
            words = msgspec.json.decode(text, type=dict[str, Any])
            found = words.get("format", FORMAT)
            if isinstance(found, int) and found > FORMAT:
                raise NewerFormat(
                    f"{path} has format {found}, and this Luthier reads up to format {FORMAT}: upgrade Luthier "
                    "(pip install --upgrade luthier) to read it."
                )
            extra = from_json(words.pop("extra", {}), unpickle=unpickle)
            card = msgspec.convert(words, cls)
        except (ValueError, KeyError, TypeError) as error:
            raise NotAnExperiment(f"{path} is damaged: {error}.") from error
        return msgspec.structs.replace(card, extra=extra if isinstance(extra, dict) else {})


def _replace(target: Path, text: bytes) -> None:
    import tempfile

    fd, temporary = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    try:
        with os.fdopen(fd, "wb") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).chmod(0o644)
        Path(temporary).replace(target)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    sync_directory(target.parent)
