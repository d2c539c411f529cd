from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from luthier.execution import devices
from luthier.execution.devices import Devices, gpu_ids, machine_resources
from luthier.execution.environment import thread_environment, threads_of


def test_this_machine_has_something():
    assert 1 <= machine_resources()["cpu"] <= (os.cpu_count() or 1)


@pytest.mark.parametrize(
    ("files", "quota"),
    [
        ({}, None),
        ({"proc/self/cgroup": "0::/\n"}, None),
        ({"proc/self/cgroup": "0::/a/b\n", "sys/fs/cgroup/a/b/cpu.max": "150000 100000\n"}, 1.5),
        ({"proc/self/cgroup": "0::/a/b\n", "sys/fs/cgroup/a/b/cpu.max": "max 100000\n"}, None),
        (
            {
                "proc/self/cgroup": "0::/a/b\n",
                "sys/fs/cgroup/a/b/cpu.max": "max 100000\n",
                "sys/fs/cgroup/a/cpu.max": "400000 100000\n",
            },
            4.0,
        ),
        (
            {
                "proc/self/cgroup": "3:memory:/m\n2:cpu,cpuacct:/a\n",
                "sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_quota_us": "-1\n",
                "sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_period_us": "100000\n",
                "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "250000\n",
                "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": "100000\n",
            },
            2.5,
        ),
        ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "nonsense\n"}, None),
    ],
)
def test_the_quota_of_control_groups(tmp_path, files, quota):
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    assert devices._cpu_quota(tmp_path) == quota


@pytest.mark.parametrize(
    ("visible", "ids"),
    [
        (None, ["0", "1", "2"]),
        ("", []),
        ("-1", []),
        ("2,0", ["2", "0"]),
        ("1,-1,2", ["1"]),
        ("GPU-8a3b, GPU-77", ["GPU-8a3b", "GPU-77"]),
    ],
)
def test_gpus_are_those_that_are_visible(monkeypatch, visible, ids):
    monkeypatch.setattr(devices, "_has_driver", lambda: True)
    monkeypatch.setattr(devices, "_gpu_count", lambda: 3)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert gpu_ids() == ids
    assert machine_resources().get("gpu", 0.0) == len(ids)


def test_without_a_driver_there_is_no_gpu_whatever_is_said_to_be_visible(monkeypatch):
    monkeypatch.setattr(devices, "_has_driver", lambda: False)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    assert gpu_ids() == []


@given(
    count=st.integers(1, 4),
    moves=st.lists(
        st.tuples(st.integers(0, 5), st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.9, 1.0, 1.5, 2.0])), max_size=40
    ),
)
def test_no_device_is_given_to_more_than_it_holds(count, moves):
    handing = Devices([str(i) for i in range(count)])
    held: dict[str, tuple[float, list[str]]] = {}
    for number, amount in moves:
        holder = str(number)
        if holder in held:
            handing.give_back(holder)
            del held[holder]
            continue
        got = handing.take(holder, amount)
        if got is not None:
            assert len(got) == len(set(got)) == int(amount) + (amount % 1 > 0)
            held[holder] = (amount, got)
        else:
            assert amount > 0
    shares: dict[str, float] = {}
    for amount, got in held.values():
        for i, name in enumerate(got):
            shares[name] = shares.get(name, 0.0) + (1.0 if i < int(amount) else amount % 1)
    assert all(share <= 1.0 + 1e-6 for share in shares.values())
    for holder in held:
        handing.give_back(holder)
    assert handing.take("all", float(count)) == [str(i) for i in range(count)]


def test_threads_follow_cpus():
    assert [threads_of(r) for r in ({}, {"cpu": 0.5}, {"cpu": 3.0}, {"gpu": 1.0})] == [1, 1, 3, 1]
    assert set(thread_environment(2, {}).values()) == {"2"}
    assert thread_environment(2, {"OMP_NUM_THREADS": "1"}) == {}
