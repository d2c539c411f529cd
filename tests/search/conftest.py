"""One thread of linear algebra: with small matrices, and others on the machine, two wait for each other ten times."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> Iterator[None]:
    import scipy.linalg  # noqa: F401 (what is not loaded yet is not limited)
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1):
        yield
