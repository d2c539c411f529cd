from __future__ import annotations

import importlib
import textwrap
from typing import TYPE_CHECKING, Any

import pytest

from luthier.execution.process import ProcessExecutor
from luthier.testing.rig import Rig

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., Rig]:
    """Return ``run(trainable, configs, *, judge, limits, request, seed, closing, **options) -> Rig``."""

    def run(trainable: Any, configs: Sequence[Any] = ({},), **options: Any) -> Rig:
        of_rig = {name: options.pop(name) for name in ("judge", "limits", "request", "seed") if name in options}
        options = {"resources": {"cpu": 2.0}, "grace": 1.0, "experiment_dir": tmp_path / "experiment", **options}
        closing = options.pop("closing", 5.0)
        return Rig(ProcessExecutor(trainable, **options), tmp_path / "experiment", configs, **of_rig).run(grace=closing)

    return run


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Any]:
    """Return ``module(source)``: a module of the user's, imported here and to be found from elsewhere."""
    count = 0

    def write(source: str) -> Any:
        nonlocal count
        count += 1
        folder = tmp_path / "modules"
        folder.mkdir(exist_ok=True)
        name = f"users_module_{tmp_path.name}_{count}"
        (folder / f"{name}.py").write_text(textwrap.dedent(source))
        monkeypatch.syspath_prepend(folder)
        return importlib.import_module(name)

    return write
