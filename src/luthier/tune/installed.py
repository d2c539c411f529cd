"""Libraries that searches, trackers and callbacks are made of: there, or what to install."""

from __future__ import annotations

import sys
from importlib import import_module, metadata
from importlib.util import find_spec

from luthier.core.errors import MissingLibrary


def demand(
    who: str, module: str, extra: str, at_least: str = "", package: str = "", older: str = "", *, later: bool = False
) -> None:
    """See to it that *module* can be imported.

    Args:
        who: what needs it.
        module: its name, as one imports it.
        extra: the extra of Luthier's that brings it.
        at_least: the oldest release that will do, such as ``"3.6"``.
        package: its name, as one installs it; *module* where they are the same.
        older: what is wrong with older releases, in words.
        later: whether it is imported later, by whom it does not hold up; now it is only looked for.

    Raises:
        MissingLibrary: it is not installed, or older than that.
        ModuleNotFoundError: it is installed, and something that it needs is not.

    >>> demand("The answer", "not_there", "answers")
    Traceback (most recent call last):
    luthier.core.errors.MissingLibrary: The answer needs not_there: pip install 'luthier[answers]'
    """
    if not later:
        _imported(who, module, extra)
    if not _there(module):
        raise MissingLibrary(who, module, extra)
    if not at_least:
        return
    found = metadata.version(package or module)
    if _release(found) < _release(at_least):
        because = f" ({found} is installed; {older})" if older else ""
        raise MissingLibrary(who, f"{package or module}>={at_least}{because}", extra)


def _there(module: str) -> bool:
    """Return whether *module* is installed; trackers make directories of that name: those are none."""
    if module not in sys.modules:
        found = find_spec(module)
        return found is not None and found.origin is not None
    here = sys.modules[module]
    spec = getattr(here, "__spec__", None)
    return here is not None and (spec is None or spec.origin is not None)


def _imported(who: str, module: str, extra: str) -> None:
    try:
        import_module(module)
    except ImportError as error:
        if isinstance(error, ModuleNotFoundError) and error.name not in (module, module.partition(".")[0], None):
            error.add_note(f"{who} needs {module}, which is there, and itself needs {error.name}")
            raise
        raise MissingLibrary(who, module, extra) from error


def _release(version: str) -> list[int]:
    """Return the numbers that *version* begins with."""
    numbers = []
    for part in version.split("."):
        digits = part[: len(part) - len(part.lstrip("0123456789"))]
        if not digits:
            break
        numbers.append(int(digits))
    return numbers
