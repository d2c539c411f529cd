"""A sweep's description, in whichever words and on whatever paper, as a :class:`~luthier.sweeps.spec.SweepSpec`."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from luthier.core.errors import BadArgument, BadArgumentType, BadSweep, Violation, shown_shortly
from luthier.sweeps.document import MOST_BYTES, Document, opened

if TYPE_CHECKING:
    from luthier.sweeps.spec import SweepSpec


def read(source: str | bytes | Mapping[str, Any] | os.PathLike[str]) -> SweepSpec:
    """Return the sweep that *source* describes.

    With ``tune`` at the top it is read as what :mod:`luthier.sweeps.config` writes, else as W&B's sweep configuration
    and what Luthier adds to it.

    Args:
        source: YAML or JSON as text or bytes, a mapping, or the path of a file.  Text is never taken for a path.

    Raises:
        BadSweep: it cannot be used; the text names each key, its line and what would do.  What is odd but can be
            used is in ``warnings`` of what is returned.
        BadArgumentType: it is none of these.
        OSError: the file cannot be read.

    >>> spec = read({"method": "grid", "parameters": {"lr": {"values": [0.1, 0.01]}}})
    >>> spec.search.name, spec.parameters
    ('grid', {'lr': Grid([0.1, 0.01])})
    """
    document = _document(source)
    if not isinstance(document.value, dict):
        given = "it is empty" if document.value is None else f"it holds {shown_shortly(document.value, 60)}"
        raise BadSweep([Violation("", None, f"{given}: give a mapping with method and parameters{_path(source)}")])
    if "tune" in document.value:
        return _built(document)
    from luthier.sweeps import yaml_form

    return yaml_form.read(document)


def _built(document: Document) -> SweepSpec:
    """Return the sweep that :mod:`luthier.sweeps.config` wrote."""
    import msgspec

    from luthier.sweeps import tune_form
    from luthier.sweeps.whereabouts import path_to

    try:
        spec = tune_form.read(document.value, document.text)
    except BadArgument as error:
        line = document.line(path_to(document.value, error.argument))
        raise BadSweep([Violation("", line, str(error))]) from error
    return msgspec.structs.replace(spec, warnings=(*document.oddities, *spec.warnings))


def _document(source: object) -> Document:
    if isinstance(source, (str, bytes)):
        return opened(source)
    if isinstance(source, os.PathLike):
        with open(source, "rb") as file:
            return opened(file.read(MOST_BYTES + 1))
    if isinstance(source, Mapping):
        from luthier.sweeps.written import written

        return written(source)
    raise BadArgumentType("source", source, "YAML as text, a dict, or the path of a file")


def _path(source: object) -> str:
    if isinstance(source, str) and "\n" not in source and source.endswith((".yaml", ".yml", ".json")):
        return f" (or pathlib.Path({source!r}), if that is a file)"
    return ""
