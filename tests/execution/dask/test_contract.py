from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from luthier.execution.dask.executor import DaskExecutor
from luthier.testing.isolation import IsolatedExecutorContract

if TYPE_CHECKING:
    from pathlib import Path


class TestDask(IsolatedExecutorContract):
    @pytest.fixture
    def executor_for(self, cluster: Any, experiment_dir: Path) -> Any:
        def make(trainable: Any, *, resources: dict[str, float], reuse: bool = False) -> DaskExecutor:
            address = {"address": cluster.scheduler_address}
            return DaskExecutor(trainable, experiment_dir=experiment_dir, options=address, reuse=reuse, grace=1.0)

        return make
