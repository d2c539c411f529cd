"""Population based training: who goes on from whom, and when."""

from __future__ import annotations

from luthier.schedulers.explore import Mutations
from luthier.schedulers.pbt import Pbt
from luthier.testing.schedulers import SchedulerContract


def _pbt(**arguments: object) -> Pbt:
    explore = Mutations({"y": [1, 2, 3]}, custom=lambda config, _: config)
    given = {"time_attr": "training_iteration", "perturbation_interval": 2, "require_attrs": False, **arguments}
    return Pbt(Mutations({}, custom=lambda config, _: config) or explore, **given)  # type: ignore[arg-type]


class TestContract(SchedulerContract):
    def make(self) -> Pbt:
        return _pbt()


class TestContractSynch(SchedulerContract):
    def make(self) -> Pbt:
        return _pbt(synch=True)
