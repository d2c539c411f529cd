"""Libraries that are there, are not, or only seem to be."""

from __future__ import annotations

import importlib
import sys

import pytest

from luthier.core.errors import MissingLibrary
from luthier.tune.installed import demand


@pytest.mark.parametrize("later", [False, True])
def test_a_directory_of_that_name_is_no_library(later, tmp_path, monkeypatch):
    (tmp_path / "tracked_runs").mkdir()  # as trackers make them where a script stands
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "tracked_runs", raising=False)
    for _ in range(2):  # the second time somebody has imported it
        with pytest.raises(MissingLibrary, match=r"^It needs tracked_runs: pip install 'luthier\[tracked\]'$"):
            demand("It", "tracked_runs", "tracked", later=later)
        importlib.import_module("tracked_runs")


def test_what_is_imported_later_is_not_imported_now(tmp_path, monkeypatch):
    (tmp_path / "slow_library.py").write_text("raise RuntimeError('imported')")
    monkeypatch.syspath_prepend(tmp_path)
    demand("It", "slow_library", "slow", later=True)
    with pytest.raises(RuntimeError, match="imported"):
        demand("It", "slow_library", "slow")


@pytest.mark.parametrize("later", [False, True])
def test_what_cannot_be_imported_is_missing(later, monkeypatch):
    monkeypatch.setitem(sys.modules, "json", None)
    with pytest.raises(MissingLibrary):
        demand("It", "json", "none", later=later)


def test_what_a_library_lacks_itself_is_named(tmp_path, monkeypatch):
    (tmp_path / "half_there.py").write_text("import not_there_at_all")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError) as caught:
        demand("It", "half_there", "half")
    assert caught.value.name == "not_there_at_all"
    assert caught.value.__notes__ == ["It needs half_there, which is there, and itself needs not_there_at_all"]
