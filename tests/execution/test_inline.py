from __future__ import annotations

import pytest

from luthier.execution.inline import InlineExecutor
from luthier.testing.executors import ExecutorContract


class TestContract(ExecutorContract):
    isolated = False

    @pytest.fixture
    def executor_for(self, experiment_dir):
        def make(trainable, *, resources, reuse=False):
            return InlineExecutor(trainable, resources, str(experiment_dir), reuse=reuse)

        return make
