from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import pytest

from luthier.execution.process import ProcessExecutor
from luthier.testing.isolation import IsolatedExecutorContract
from luthier.testing.trials import TrialContract

if TYPE_CHECKING:
    from pathlib import Path


class Processes:
    """Makes the executor that a contract asks for."""

    start: ClassVar[Literal["fork", "spawn", "direct"]]
    always_reuse: ClassVar[bool] = False

    @pytest.fixture
    def executor_for(self, experiment_dir: Path) -> Any:
        def make(trainable: Any, *, resources: dict[str, float], reuse: bool = False) -> ProcessExecutor:
            return ProcessExecutor(
                trainable, experiment_dir=experiment_dir, resources=resources, start=self.start,
                reuse=reuse or self.always_reuse, grace=1.0,
            )  # fmt: skip

        return make


class TestFork(Processes, IsolatedExecutorContract):
    start = "fork"


class TestForkAndReuse(Processes, IsolatedExecutorContract):
    start = "fork"
    always_reuse = True

    def test_a_trial_starts_in_a_clean_process(self, drive: Any) -> None:
        # The opposite is asked for here: as many processes as run at once, and no more.
        def trainable(config: Any) -> dict[str, int]:
            return {"in": os.getpid()}

        rig = drive(trainable, [{}] * 10)
        assert len({rig.reports(n)[0]["in"] for n in range(10)}) <= 2


class TestSpawn(Processes, IsolatedExecutorContract):
    start = "spawn"


class TestDirect(Processes, TrialContract):
    """Without a template, as on Windows and macOS; there is more of it in test_process_ends.py."""

    start = "direct"
    isolated = True
