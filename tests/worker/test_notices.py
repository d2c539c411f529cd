from __future__ import annotations

import pytest

from luthier.worker.notices import deprecated


def test_an_old_name_that_two_libraries_have_is_told_of_for_each():
    with pytest.warns(DeprecationWarning) as told:
        for new in ("keras's", "lightning's", "keras's"):
            deprecated("Old", new)
    assert [str(one.message) for one in told] == [
        f"Old is an old spelling; write {new}'s" for new in ("keras", "lightning")
    ]
