# How processes are started, and what is said when they cannot be.
from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading

import pytest

from luthier.core.errors import BadArgument, BadArgumentType, LuthierError
from luthier.core.terms import Status
from luthier.execution.process import ProcessExecutor

HERE = {"IN_A_TRIAL": "1"}


@pytest.mark.parametrize("start", ["fork", "spawn", "direct"])
def test_a_module_that_fails_in_a_trial_fails_the_experiment_with_its_traceback(run, module, start):
    users = module("""
        import os
        if os.environ.get("IN_A_TRIAL"):
            raise ImportError("libmagic.so is missing")
        def trainable(config):
            return {"x": 1}
    """)
    with pytest.raises(LuthierError, match="cannot be loaded in a fresh process") as caught:
        run(users.trainable, [{}] * 3, env=HERE, start=start)
    assert "ImportError: libmagic.so is missing" in str(caught.value)
    assert f"{users.__name__}.py" in str(caught.value)


def test_a_module_that_cannot_be_found_is_named(run):
    import types

    lost = types.ModuleType("module_from_nowhere")
    exec("def trainable(config): return 1", vars(lost))
    sys.modules[lost.__name__] = lost
    try:
        with pytest.raises(LuthierError, match="module_from_nowhere"):
            run(vars(lost)["trainable"])
    finally:
        del sys.modules[lost.__name__]


def test_a_module_that_kills_every_template_ends_the_experiment(run, module):
    users = module("""
        import os
        if os.environ.get("IN_A_TRIAL"):
            os._exit(7)
        def trainable(config):
            return {"x": 1}
    """)
    with pytest.raises(LuthierError, match="was gone with code 7, 3 times in a row"):
        run(users.trainable, env=HERE)


def test_where_forking_is_unsafe_fresh_interpreters_are_started(run, module, caplog):
    users = module("""
        import os, threading, time
        if os.environ.get("IN_A_TRIAL"):
            threading.Thread(target=time.sleep, args=(3600,), daemon=True, name="prefetch").start()
        def trainable(config):
            return {"threads": threading.active_count(), "argv": open("/proc/self/cmdline").read().split("\\0")}
    """)
    with caplog.at_level(logging.WARNING, "luthier"):
        rig = run(users.trainable, [{}, {}], env=HERE)
    assert [rig.trial(n).status for n in range(2)] == [Status.DONE] * 2
    for number in range(2):
        (got,) = rig.reports(number)
        assert got["threads"] == 2  # as in any process that imports it
        assert "trial" in got["argv"]
    (record,) = caplog.records
    assert "a thread runs in it (prefetch)" in record.getMessage()


def test_the_threads_of_openblas_are_no_reason_not_to_fork(run, module, caplog):
    users = module("""
        import os
        import numpy as np
        square = np.ones((300, 300)) @ np.ones((300, 300))
        def trainable(config):
            return {"product": float((square @ square)[0, 0]), "tasks": len(os.listdir("/proc/self/task"))}
    """)
    with caplog.at_level(logging.WARNING, "luthier"):
        rig = run(users.trainable, [{}, {}], request={"cpu": 2.0})
    assert caplog.records == []
    assert [rig.reports(n)[0]["product"] for n in range(2)] == [300.0**3] * 2


def test_a_pool_of_openmp_is_a_reason_not_to_fork(run, module, caplog):
    users = module("""
        from sklearn.ensemble import HistGradientBoostingRegressor
        X = [[float(i)] for i in range(100)]
        model = HistGradientBoostingRegressor(max_iter=1).fit(X, range(100))
        def trainable(config):
            return {"x": float(HistGradientBoostingRegressor(max_iter=1).fit(X, range(100)).predict([[3.0]])[0])}
    """)
    with caplog.at_level(logging.WARNING, "luthier"):
        rig = run(users.trainable, [{}], request={"cpu": 2.0})
    assert "native threads" in caplog.text
    assert rig.trial(0).status is Status.DONE


def test_modules_are_imported_once_and_not_by_every_trial(run, module, tmp_path):
    users = module(f"""
        import os
        if os.environ.get("IN_A_TRIAL"):
            with open({str(tmp_path / "imports")!r}, "a") as file:
                file.write("x")
        def trainable(config):
            return {{"x": 1}}
    """)
    run(users.trainable, [{}] * 5, env=HERE)
    assert (tmp_path / "imports").read_text() == "x"


def test_each_number_of_threads_has_its_template(run):
    def trainable(config):
        return {"threads": os.environ["OPENBLAS_NUM_THREADS"], "parent": os.getppid()}

    rig = run(trainable, [{"c": 1}, {"c": 2}, {"c": 1}], request=lambda config: {"cpu": float(config["c"])})
    got = [rig.reports(n)[0] for n in range(3)]
    assert [m["threads"] for m in got] == ["1", "2", "1"]
    assert got[0]["parent"] == got[2]["parent"] != got[1]["parent"]


def test_a_fork_of_a_template_with_numpy_draws_its_own_numbers(run):
    import numpy as np

    def trainable(config):
        return {"x": float(np.random.random())}  # noqa: NPY002 (what users do)

    rig = run(trainable, [{}, {}, {}], seed=None)
    assert len({rig.reports(n)[0]["x"] for n in range(3)}) == 3


def test_a_fork_does_not_do_what_the_template_is_to_do_at_its_end(run, module, tmp_path):
    users = module(f"""
        import atexit, os, tempfile
        scratch = tempfile.TemporaryDirectory()
        if os.environ.get("IN_A_TRIAL"):
            atexit.register(open({str(tmp_path / "exits")!r}, "a").write, "x")
        def trainable(config):
            return {{"there": os.path.isdir(scratch.name)}}
    """)
    rig = run(users.trainable, [{}] * 3, env=HERE)
    assert [rig.reports(n)[0]["there"] for n in range(3)] == [True] * 3
    assert not (tmp_path / "exits").exists() or (tmp_path / "exits").read_text() == ""


def test_a_trial_may_do_things_at_its_own_exit(run, tmp_path):
    def trainable(config):
        import atexit
        import weakref

        class Thing:
            pass

        thing = Thing()
        Thing.keep = thing  # type: ignore[attr-defined]
        atexit.register((tmp_path / "atexit").touch)
        weakref.finalize(thing, (tmp_path / "finalize").touch)

    run(trainable)
    assert (tmp_path / "atexit").exists()
    assert (tmp_path / "finalize").exists()


def test_what_a_trial_is_told_by_its_environment(run, tmp_path):
    def trainable(config):
        env = os.environ
        return {"id": env["LUTHIER_TRIAL_ID"], "dir": env["LUTHIER_TRIAL_DIR"], "mine": env["MINE"]}

    rig = run(trainable, env={"MINE": "yes"})
    assert rig.reports()[0].items() >= {
        "id": rig.trial(0).id, "dir": str(tmp_path / "experiment" / rig.trial(0).id), "mine": "yes",
    }.items()  # fmt: skip


def test_fractions_of_gpus_are_shared_and_whole_ones_are_not(run):
    def trainable(config):
        return {"gpu": os.environ["CUDA_VISIBLE_DEVICES"]}

    def amount(config):
        return {"cpu": 0.1, "gpu": config["gpu"]} if config["gpu"] else {"cpu": 0.1}

    rig = run(
        trainable, [{"gpu": 0.5}, {"gpu": 0.5}, {"gpu": 1.0}, {"gpu": 2.0}, {"gpu": 0.0}],
        resources={"cpu": 2.0, "gpu": 2.0}, request=amount,
    )  # fmt: skip
    half, other_half, whole, both, none = (rig.reports(n)[0]["gpu"] for n in range(5))
    halves = {half, other_half}
    assert len(halves) == 1
    assert whole not in halves
    assert sorted(both.split(",")) == sorted({whole, *halves})
    assert none == ""


def test_a_gap_that_nothing_fits_is_waited_out(run):
    # 5 x 0.4 of 2 GPUs add up, but only two of them fit each: the fifth waits, nobody fails.
    rig = run(
        lambda config: {"gpu": os.environ["CUDA_VISIBLE_DEVICES"]}, [{}] * 5,
        resources={"cpu": 5.0, "gpu": 2.0}, request={"cpu": 1.0, "gpu": 0.4},
    )  # fmt: skip
    assert [rig.trial(n).status for n in range(5)] == [Status.DONE] * 5


def test_a_process_is_used_again_only_by_trials_of_its_kind(run):
    def trainable(config):
        return {"pid": os.getpid(), "threads": os.environ["OMP_NUM_THREADS"]}

    from luthier.core.limits import Limits

    rig = run(
        trainable, [{"c": c} for c in (1, 1, 2, 2, 1)], request=lambda config: {"cpu": float(config["c"])},
        limits=Limits(max_concurrent=1, max_losses=0), reuse=True,
    )  # fmt: skip
    pids, threads = zip(*((m["pid"], m["threads"]) for m in (rig.reports(n)[0] for n in range(5))), strict=True)
    assert threads == ("1", "1", "2", "2", "1")
    assert pids[0] == pids[1]
    assert pids[2] == pids[3]
    assert len({pids[0], pids[2], pids[4]}) == 3


def test_an_unpicklable_trainable_is_refused_by_the_name_of_the_culprit(tmp_path):
    lock = threading.Lock()

    def objective(config):
        with lock:
            return 1

    with pytest.raises(BadArgument, match="objective uses the variable 'lock' of the function around it") as caught:
        ProcessExecutor(objective, experiment_dir=tmp_path)
    assert "(a _thread.lock), which cannot be pickled" in str(caught.value)


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"trainable": "f"}, BadArgumentType, "trainable='f'"),
        ({"grace": -1}, BadArgument, "grace=-1"),
        ({"grace": float("nan")}, BadArgument, "grace=nan"),
        ({"transcript_limit": 0}, BadArgument, "transcript_limit=0"),
        ({"start": "forkserver"}, BadArgument, "start='forkserver'"),
        ({"resources": {"cpu": -1}}, BadArgument, "resources"),
    ],
)
def test_bad_arguments(tmp_path, options, error, text):
    with pytest.raises(error, match=text):
        ProcessExecutor(**{"trainable": print, "experiment_dir": tmp_path, **options})


def test_it_can_be_imported_where_unix_is_not():
    code = """if True:
        import os, select, signal, socket, subprocess, sys
        lacking = {
            os: "fork setpgid killpg wait4 memfd_create posix_spawn register_at_fork sched_getaffinity O_CLOEXEC",
            signal: "SIGKILL SIGCHLD", socket: "AF_UNIX SOCK_SEQPACKET send_fds recv_fds", select: "poll epoll",
        }
        for module, names in lacking.items():
            for name in names.split():
                delattr(module, name)
        for name in ("fcntl", "resource", "pwd", "grp", "termios"):
            sys.modules[name] = None
        sys.platform = "win32"
        import luthier.execution.process, luthier.worker.main
    """
    subprocess.run([sys.executable, "-c", code], check=True)


def test_nothing_is_imported_that_is_not_needed():
    code = "import luthier.worker.template, sys; print(*{name.partition('.')[0] for name in sys.modules})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert not loaded & {"numpy", "pandas", "scipy", "rich", "asyncio", "ssl", "multiprocessing", "cloudpickle"}
    assert "select" in loaded


def test_the_allocator_of_pyarrow_is_no_reason_not_to_fork():
    script = (
        "import pyarrow, os\n"
        "from luthier.worker.forking import obstacle_to_forking\n"
        "names = [open(f'/proc/self/task/{t}/comm').read().strip() for t in os.listdir('/proc/self/task')]\n"
        "print(sorted(names)[-1] if len(names) > 1 else 'alone', '|', obstacle_to_forking())\n"
    )
    environ = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=environ, check=True)
    assert done.stdout.rpartition("|")[2].strip() == ""
