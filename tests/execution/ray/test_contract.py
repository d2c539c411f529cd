from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from luthier.execution.ray.executor import RayExecutor
from luthier.testing.isolation import IsolatedExecutorContract

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.usefixtures("cluster")
class TestRay(IsolatedExecutorContract):
    untold = ("3",)  # the raylet sees a closed connection, whatever the exit code was

    @pytest.fixture
    def executor_for(self, experiment_dir: Path) -> Any:
        def make(trainable: Any, *, resources: dict[str, float], reuse: bool = False) -> RayExecutor:
            return RayExecutor(trainable, experiment_dir=experiment_dir, reuse=reuse, grace=1.0)

        return make
