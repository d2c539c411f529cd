"""Options of the longer tests; and one thread of linear algebra for all."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator


def pytest_addoption(parser):
    parser.addoption("--rounds", type=int, default=3, help="how many rounds the crash tests take")
    parser.addoption("--chaos", type=int, default=2, help="how many rounds the chaos of sweeps takes")
    parser.addoption("--raychaos", type=int, default=1, help="how many rounds the chaos on a Ray cluster takes")
    parser.addoption("--seed", type=int, default=None, help="of crash and differential tests: repeats what they do")
    parser.addoption("--first-round", type=int, default=0, help="of the crash tests: number of the first one")
    parser.addoption("--peers", default=None, help="of the differential tests: a Python that has Ray Tune")
    parser.addoption("--wandb", default=None, help="of the tests of W&B's client: a Python that has another one")
    parser.addoption("--cases", type=int, default=200, help="of the differential tests: how many new ones Ray plays")


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> Iterator[None]:
    """With small matrices, and others on the machine, two threads of linear algebra wait for each other ten times."""
    import scipy.linalg  # noqa: F401 (what is not loaded yet is not limited)
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1):
        yield
