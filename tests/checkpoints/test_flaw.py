from __future__ import annotations

import pytest

from luthier.checkpoints.base import DICT_FILE, write_dict
from luthier.checkpoints.flaw import flaw_in


def test_nothing_is_wrong_with_any_directory(tmp_path):
    assert flaw_in(str(tmp_path)) == ""
    write_dict({"x": [1.0] * 1000}, str(tmp_path))
    assert flaw_in(str(tmp_path)) == ""


def test_gone_or_no_directory(tmp_path):
    (tmp_path / "file").touch()
    assert flaw_in(str(tmp_path / "never")) == "is gone"
    assert flaw_in(str(tmp_path / "file")) == "cannot be read (Not a directory)"


@pytest.mark.parametrize("left", [0, 1, 500])
def test_a_dict_that_was_cut_off(tmp_path, left):
    write_dict({"x": list(range(1000))}, str(tmp_path))
    file = tmp_path / DICT_FILE
    file.write_bytes(file.read_bytes()[:left])
    assert flaw_in(str(tmp_path)) == "is damaged (its pickled dict was cut off)"
