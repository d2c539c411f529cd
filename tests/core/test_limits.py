"""Limits are checked where they are made."""

from __future__ import annotations

from typing import Any

import pytest

from luthier.core.errors import BadArgument
from luthier.core.limits import Limits


@pytest.mark.parametrize(
    ("argument", "given"),
    [("num_trials", -1), ("max_concurrent", 0), ("max_failures", -2), ("keep", 0)],
)
def test_out_of_range(argument, given):
    arguments: dict[str, Any] = {argument: given}
    with pytest.raises(BadArgument, match=f"{argument}={given} cannot be used: give a number"):
        Limits(**arguments)


def test_the_edges_are_in_range():
    limits = Limits(num_trials=0, max_concurrent=1, max_failures=-1, max_losses=0, keep=1)
    assert limits.num_trials == 0 and Limits() == Limits()
