"""Search algorithms whose libraries are not installed: they can be imported, and say what to install when made."""

from __future__ import annotations

import sys

import pytest

from luthier.core.errors import MissingLibrary
from luthier.tune.search.hebo import HEBOSearch
from luthier.tune.search.nevergrad import NevergradSearch


def test_nevergrad_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "nevergrad", None)
    with pytest.raises(MissingLibrary, match=r"^NevergradSearch needs nevergrad: pip install 'luthier\[nevergrad\]'$"):
        NevergradSearch()


def test_hebo_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "hebo", None)
    with pytest.raises(MissingLibrary, match=r"^HEBOSearch needs hebo.*: pip install 'luthier\[hebo\]'$"):
        HEBOSearch()


def test_hebo_says_which_python(monkeypatch):
    monkeypatch.setitem(sys.modules, "hebo", None)
    monkeypatch.setattr(sys, "version_info", (3, 13, 0))
    with pytest.raises(MissingLibrary, match=r"hebo, which installs on Python 3\.11 and not on later ones"):
        HEBOSearch()
