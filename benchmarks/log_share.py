"""The log's share of a run's CPU: ``python -m benchmarks.log_share TRIALS DIRECTORY EXECUTOR``.

Trials that do nothing but report 50 times, so that nothing hides the log's cost.  Every ``append`` is timed, and every
``fsync`` of the thread beside it; what timing nothing takes is taken off.  The run's own CPU is that of the driver and
of all processes that it started, from the call of ``fit()`` to its return.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

from luthier import tune
from luthier.store import sync
from luthier.store.jsonl import JsonlStore

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from luthier.core.events import Event

REPORTS = 50


class Timed:
    """A function that adds up the CPU seconds of the thread that calls it."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function
        self.seconds, self.calls = 0.0, 0

    def __call__(self, *arguments: Any) -> Any:
        start = time.thread_time()
        try:
            return self._function(*arguments)
        finally:
            self.seconds += time.thread_time() - start
            self.calls += 1


def share(trials: int, directory: str, executor: str) -> dict[str, Any]:
    """Run *trials* trials; return what the log took of their CPU."""

    def train(config):
        for i in range(REPORTS):
            tune.report({"loss": config["x"] / (i + 1), "accuracy": 1.0 - config["x"] / (i + 1)})

    tuner = tune.Tuner(
        train,
        param_space={"x": tune.uniform(0.0, 1.0)},
        tune_config=tune.TuneConfig(num_samples=trials, metric="loss", mode="min", reuse_actors=True),
        run_config=tune.RunConfig(storage_path=directory, verbose=0, executor=executor, resources={"cpu": 2}),
    )
    append, synced = Timed(JsonlStore.append), Timed(sync.sync)

    def timed(store: JsonlStore, events: Sequence[Event], after: int) -> int:  # a method, which Timed is not
        end: int = append(store, events, after)
        return end

    before = _cpu()
    with patch.object(JsonlStore, "append", timed), patch.object(sync, "sync", synced):
        results = tuner.fit()
    whole = _cpu() - before
    if len(results) != trials or results.num_errors:
        raise SystemExit(f"{len(results)} of {trials} trials, {results.num_errors} of them failed")
    nothing = Timed(lambda *_: None)
    for _ in range(append.calls):
        nothing(None, None, None)
    log = append.seconds - nothing.seconds + synced.seconds
    return {"batches": append.calls, "log_s": round(log, 4), "run_s": round(whole, 4), "share": round(log / whole, 4)}


def _cpu() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(u.ru_utime + u.ru_stime for u in used)


if __name__ == "__main__":
    print("\n" + json.dumps(share(int(sys.argv[1]), sys.argv[2], sys.argv[3])), flush=True)
