from __future__ import annotations

import gc
import os
import pickle
import subprocess
import sys
import threading
from pathlib import Path

import cloudpickle
import numpy as np
import pandas as pd
import pytest

from luthier.core.errors import BadArgument
from luthier.core.terms import Outcome
from luthier.worker import parcel as parcel_module
from luthier.worker.function import check_trainable
from luthier.worker.parameters import with_parameters
from luthier.worker.parcel import SMALL, Parcel
from luthier.worker.resources import request_of, with_resources
from luthier.worker.session import report
from luthier.worker.trainable import Trainable


def objective(config, table, factor=2):
    """Sum a table."""
    return {"sum": float(np.sum(table)) * factor, "x": config.get("x")}


class Summing(Trainable):
    def setup(self, config, table=None, factor=2):
        self.table, self.factor = table, factor

    def step(self):
        return {"sum": float(np.sum(self.table)) * self.factor, "done": True}


ALIVE: list[object] = []


def sent(thing):
    """Return what another process would get of *thing*, which must stay alive."""
    pickled = cloudpickle.dumps(thing)
    owned = dict(parcel_module._owned)
    ALIVE.append(owned)  # a class comes back as itself, and would let go of what it had
    try:
        parcel_module._owned.clear()
        return cloudpickle.loads(pickled)
    finally:
        parcel_module._owned.update(owned)


LARGE = np.arange(100_000.0)


@pytest.mark.parametrize("trainable", [objective, Summing])
@pytest.mark.parametrize("table", [[1.0, 2.0], LARGE])
@pytest.mark.parametrize("travel", [False, True])
def test_parameters_arrive(run, trainable, table, travel):
    furnished = with_parameters(trainable, table=table, factor=3)
    check_trainable(furnished)
    assert furnished.__name__ == trainable.__name__
    exited, channel = run(sent(furnished) if travel else furnished)
    assert exited.outcome is Outcome.FINISHED, exited.error
    assert channel.metrics[0]["sum"] == float(np.sum(table)) * 3
    furnished = with_parameters(trainable, table=table)
    _, channel = run(cloudpickle.loads(cloudpickle.dumps(furnished)))
    assert channel.metrics[0]["sum"] == float(np.sum(table)) * 2


def test_the_original_stays():
    assert with_parameters(objective, table=[1])({})["sum"] == 2
    with pytest.raises(TypeError):
        objective({})  # type: ignore[call-arg]
    assert with_parameters(Summing, table=[1]) is not Summing
    assert Summing().table is None


def test_here_it_is_the_very_object():
    lock = threading.Lock()
    seen = []
    with_parameters(lambda config, lock: seen.append(lock), lock=lock)({})
    assert seen == [lock]
    assert seen[0] is lock


def test_large_objects_lie_in_one_file_that_goes():
    parcel = Parcel(
        {"a": LARGE, "b": np.ones((300, 300), dtype="f4"), "text": "x" * 10, "df": pd.DataFrame({"c": LARGE})}
    )
    pickled = pickle.dumps(parcel)
    assert len(pickled) < 1000
    assert pickle.dumps(parcel) == pickled
    path = Path(parcel._path or "")
    assert LARGE.nbytes * 2 < path.stat().st_size < LARGE.nbytes * 2 + 300 * 300 * 4 + 20_000
    assert pickle.loads(pickled) is parcel  # here
    there = sent(parcel).open()
    assert sent(parcel).open() is there  # once per process
    np.testing.assert_array_equal(there["a"], LARGE)
    np.testing.assert_array_equal(there["b"], np.ones((300, 300), dtype="f4"))
    assert there["text"] == "x" * 10
    assert there["df"]["c"].sum() == LARGE.sum()
    assert there["a"].ctypes.data % 64 == 0
    with pytest.raises(ValueError, match="read-only"):
        there["a"][0] = 1
    del parcel
    ALIVE.clear()
    gc.collect()
    assert not path.parent.exists()


def test_small_objects_travel_along():
    parcel = Parcel({"a": np.zeros(SMALL // 16)})
    assert len(pickle.dumps(parcel)) > SMALL // 16 * 8
    assert parcel._path is None
    assert pickle.loads(pickle.dumps(pickle.loads(pickle.dumps(parcel)))).open()["a"].sum() == 0


def test_the_file_goes_with_the_driver_and_not_with_its_children(tmp_path):
    script = tmp_path / "driver.py"
    script.write_text(
        "import os, pickle, sys, numpy as np\n"
        "from luthier.worker.parcel import Parcel\n"
        "parcel = Parcel({'a': np.zeros(100_000)})\n"
        "pickle.dumps(parcel)\n"
        "pid = os.fork()\n"
        "if not pid: sys.exit(0)\n"
        "os.waitpid(pid, 0)\n"
        "print(parcel._path, os.path.exists(parcel._path))\n"
    )
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=True)
    path, there = done.stdout.split()
    assert there == "True"
    assert not os.path.exists(os.path.dirname(path))


def test_what_cannot_be_furnished():
    for thing in (3, "f", dict, object()):
        with pytest.raises(ValueError, match="with_parameters"):
            with_parameters(thing, table=1)
        with pytest.raises(ValueError, match="with_resources"):
            with_resources(thing, {"cpu": 1})


@pytest.mark.parametrize("trainable", [objective, Summing])
def test_unknown_names_are_refused_at_once(trainable):
    with pytest.raises(BadArgument, match="tabel") as caught:
        with_parameters(trainable, tabel=1)
    assert "table" in str(caught.value)


def test_missing_names_are_refused_at_once():
    with pytest.raises(BadArgument, match="missing a required argument: 'table'"):
        check_trainable(with_parameters(objective, factor=1))


def test_one_after_the_other(run):
    furnished = with_resources(with_parameters(with_parameters(objective, factor=5), table=LARGE), {"cpu": 2})
    again = with_parameters(with_resources(objective, {"gpu": 1}), table=[1])
    assert request_of(sent(furnished)) == {"cpu": 2.0}
    assert request_of(sent(again)) == {"gpu": 1.0}
    assert request_of(again) == {"gpu": 1.0}
    assert run(sent(furnished))[1].metrics[0]["sum"] == LARGE.sum() * 5
    assert run(again)[1].metrics[0]["sum"] == 2
    cls = with_parameters(with_resources(with_parameters(Summing, factor=5), {"cpu": 3}), table=[1])
    asks = request_of(sent(cls))
    assert callable(asks)
    assert asks({}) == {"cpu": 3.0}
    assert run(sent(cls))[1].metrics[0]["sum"] == 5
    assert request_of(Summing) is None


def test_the_older_signatures_stay(run):
    def with_dir(config, checkpoint_dir=None, table=None):
        report({"table": table, "dir": checkpoint_dir})

    furnished = with_parameters(with_dir, table=[1])
    check_trainable(furnished)
    with pytest.warns(DeprecationWarning, match="checkpoint_dir"):
        exited, channel = run(furnished)
    assert exited.outcome is Outcome.FINISHED, exited.error
    assert (channel.metrics[0]["table"], channel.metrics[0]["dir"]) == ([1], None)


def test_generators_and_methods(run):
    def generator(config, table):
        yield from ({"t": t} for t in table)

    class Holder:
        def method(self, config, table):
            return {"t": len(table)}

    assert [m["t"] for m in run(with_parameters(generator, table=[1, 2]))[1].metrics] == [1, 2]
    assert run(with_resources(with_parameters(Holder().method, table=[1]), {"cpu": 1}))[1].metrics[0]["t"] == 1


def test_somebody_else_may_carry_the_objects(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(parcel_module, "_opened", {})
    taken: list[dict[str, object]] = []

    def carry(objects: dict[str, object]) -> str:
        taken.append(objects)
        return "elsewhere:0"

    parcel = Parcel({"table": np.arange(SMALL)})
    with parcel_module.carried(carry):
        sent = pickle.dumps(parcel)
    assert taken == [parcel.open()] and len(sent) < 1000
    assert parcel._path is None  # no file was written
    parcel_module.provide("elsewhere:0", {"table": "as provided"})
    assert pickle.loads(sent).open() == {"table": "as provided"}
    assert len(pickle.dumps({"after": Parcel({"x": 1})})) > 0
    assert len(taken) == 1
