from __future__ import annotations

import warnings

from luthier.worker.notices import deprecated


def test_an_old_name_that_two_libraries_have_is_told_of_for_each():
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        for new in ("of_keras", "of_lightning", "of_keras"):
            deprecated("Old", new)
    said = [str(one.message) for one in told]
    assert said == ["Old is an old spelling; write of_keras", "Old is an old spelling; write of_lightning"]
