"""The errors that Luthier raises on purpose."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable


class LuthierError(Exception):
    """Root of every error that Luthier raises on purpose."""


def shown_shortly(value: object, longest: int = 200) -> str:
    """Return ``repr(value)``, cut where it is *longest* characters long; its type where it cannot be shown.

    >>> shown_shortly("abcdef", 4)
    "'abc..."
    """
    try:
        shown = repr(value)
    except Exception:  # noqa: BLE001 (a __repr__ that raises, a nest too deep)
        shown = f"<an object of type {type(value).__name__} that cannot be shown>"
    return shown if len(shown) <= longest else f"{shown[:longest]}..."


class BadArgument(LuthierError, ValueError):
    """An argument that cannot be used, caught before any trial starts.

    The text names the argument, what was given and what would do.

    >>> str(BadArgument("mode", "maximum", "'min' or 'max'"))
    "mode='maximum' cannot be used: give 'min' or 'max'."
    """

    def __init__(self, argument: str, given: object, wanted: str, why: str = "") -> None:
        self.argument, self.given, self.wanted, self.why = argument, given, wanted, why
        shown = shown_shortly(given)
        because = f": {why}" if why else ""
        super().__init__(f"{argument}={shown} cannot be used{because}{';' if why else ':'} give {wanted}.")

    def __reduce__(self) -> tuple[type, tuple[str, object, str, str]]:
        return type(self), (self.argument, self.given, self.wanted, self.why)


class BadArgumentType(BadArgument, TypeError):
    """An argument of the wrong type: a :class:`BadArgument` that is a ``TypeError`` too."""


class Violation(NamedTuple):
    """One thing that is wrong with a file.

    Attributes:
        key: which key, from the top: ``parameters.lr.min``; empty for the whole.
        line: where in the file, from 1; None where there is no file.
        text: what is wrong, and what would do.
    """

    key: str
    line: int | None
    text: str

    def __str__(self) -> str:
        where = [] if self.line is None else [f"line {self.line}"]
        return ": ".join([*where, *([self.key] if self.key else []), self.text])


class BadSweep(LuthierError, ValueError):
    """A sweep's description that cannot be used; nothing was started.

    Attributes:
        violations: all that is wrong with it.

    >>> print(BadSweep([Violation("method", 3, "there is no 'grod'; did you mean 'grid'?")]))
    the sweep cannot be used:
      line 3: method: there is no 'grod'; did you mean 'grid'?
    """

    def __init__(self, violations: Iterable[Violation]) -> None:
        self.violations = tuple(violations)
        super().__init__("\n  ".join(["the sweep cannot be used:", *map(str, self.violations)]))

    def __reduce__(self) -> tuple[type, tuple[tuple[Violation, ...]]]:
        return type(self), (self.violations,)


class RecursiveDependencyError(LuthierError, ValueError):
    """Functions in a search space that wait for each other (or for themselves): none of them can go first."""


class IllegalEvent(LuthierError):
    """An event that cannot happen to a trial in its status: the log or the code that wrote it is damaged."""


class Conflict(LuthierError):
    """Somebody else has appended to the log since it was last read."""


class TakenOver(Conflict):
    """Another driver goes on with an experiment that lives elsewhere: this one uploads nothing more, and ends."""


class CorruptLog(LuthierError):
    """A record in the middle of an event log cannot be read."""


class DamagedRecord(CorruptLog):
    """A record of an event log is not what was written once: bits have changed, or bytes are missing."""


class PolicyError(LuthierError):
    """A searcher, scheduler or stopper raised: the experiment fails, what was recorded stays.

    The policy's own exception is the ``__cause__``.
    """


class ExperimentExists(LuthierError, ValueError):
    """The experiment's directory already holds another experiment."""


class NotStorable(LuthierError, TypeError):
    """A value that cannot be written to the log; the text names the path that leads to it."""


class NewerFormat(LuthierError):
    """Something on disk was written by a newer Luthier than this one."""


class StoreFailed(LuthierError):
    """The log could not be written; what was acknowledged before is safe."""


class StoreFull(StoreFailed):
    """The log could not be written because there is no room left (disk, quota or file size limit)."""


class CheckpointFailed(LuthierError, OSError):
    """A checkpoint could not be brought to where it stays; nothing of it is left there.

    >>> CheckpointFailed(28, "no room").errno
    28
    """


class NotAnExperiment(LuthierError, ValueError):
    """A directory that holds no experiment of Luthier's, or one whose card is damaged."""


class MissingLibrary(LuthierError, ImportError):
    """A library that something is made of is not installed, or is too old; the text says what to install.

    >>> str(MissingLibrary("OptunaSearch", "optuna", "optuna"))
    "OptunaSearch needs optuna: pip install 'luthier[optuna]'"
    """

    def __init__(self, who: str, library: str, extra: str) -> None:
        self.who, self.library, self.extra = who, library, extra
        super().__init__(f"{who} needs {library}: pip install 'luthier[{extra}]'")

    def __reduce__(self) -> tuple[type, tuple[str, str, str]]:
        return type(self), (self.who, self.library, self.extra)


class NoPicture(LuthierError, RuntimeError):
    """A figure cannot be drawn as a picture here; the text says what it takes."""


class DatabaseFailed(LuthierError):
    """The server's database cannot be reached or used; the text says why, and holds no password."""


class ServerError(LuthierError):
    """The server of sweeps refused, or could not do, what it was asked.

    Attributes:
        status: the HTTP status; 0 where there was no answer at all.

    >>> ServerError("http://localhost:8017 says 404: there is no sweep 'x'", 404).status
    404
    """

    def __init__(self, text: str, status: int = 0) -> None:
        self.status = status
        super().__init__(text)

    def __reduce__(self) -> tuple[type, tuple[str, int]]:
        return type(self), (str(self), self.status)


class ServerAway(ServerError):
    """The server of sweeps does not answer.

    Attributes:
        unsent: whether it has certainly heard nothing, so that anything may be asked again.
    """

    unsent: bool = False


class BadBackup(LuthierError, ValueError):
    """A file that is no backup of the server's, or one that is damaged."""
