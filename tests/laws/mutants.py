# ruff: noqa: E501 (lines of the source, quoted as they stand there)
"""Faults put into the core by hand: the laws and the engine's own tests must notice every one.

``python -m tests.laws.mutants [name ...]`` tries all of them (or those named) and prints a table.  Each is tried in a
copy of the package, so nothing here is touched.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
TESTS = ("tests/core/test_engine.py", "tests/core/test_state.py", "tests/core/test_keep.py", "tests/core/test_resources.py",
         "tests/core/test_status.py", "tests/laws/test_laws.py")  # fmt: skip


class Mutant(NamedTuple):
    """One fault: in *file*, *old* (which occurs exactly once) becomes *new*."""

    name: str
    file: str
    old: str
    new: str

    def applied(self, source: str) -> str:
        """Return *source* with the fault in it.

        Raises:
            ValueError: the text to replace is not there, or is not unique: the mutant no longer fits the source.
        """
        if source.count(self.old) != 1:
            raise ValueError(f"{self.name}: {self.old!r} occurs {source.count(self.old)} times in {self.file}")
        return source.replace(self.old, self.new)


E, S, K, T, R = "engine.py", "state.py", "keep.py", "status.py", "resources.py"
MUTANTS = (
    # law 2
    Mutant("asks at another position", E, "rng_at(self.limits.seed, ASK, number)", "rng_at(self.limits.seed, ASK, self._clock)"),
    Mutant("decides without position", E, "self._dice.split(self._clock)", "self._dice.split(0)"),
    Mutant("ignores the seed", E, "rng_at(self.limits.seed, ASK, number)", "rng_at(0, ASK, number)"),
    # laws 4 and 5
    Mutant("replay does not count", E, "        self._clock += 1\n        if not isinstance(event, NEWS):", "        self._clock += bool(self._out)\n        if not isinstance(event, NEWS):"),
    Mutant("replay does not tell", E, "            self.searcher.tell(event, self.experiment)\n", "            if self._out:\n                self.searcher.tell(event, self.experiment)\n"),
    Mutant("replay decides again", E, "            engine.learn(event)", "            engine._record(event)"),
    # law 6
    Mutant("duplicates count", E, "and seq > self.experiment.trials[trial].seq", "and seq >= self.experiment.trials[trial].seq"),
    Mutant("zombies speak", E, "return t is not None and t.attempt == attempt and t.status in HELD", "return t is not None and t.status in HELD"),
    Mutant("the dead speak", E, "return t is not None and t.attempt == attempt and t.status in HELD", "return t is not None and t.attempt == attempt and not t.status.final"),
    Mutant("zombies carry on", E, "if t is None or t.attempt != attempt:", "if t is None:"),
    Mutant("stops twice", E, "                if not self.experiment.stopping:\n                    self._stop_all(reason)", "                self._stop_all(reason)"),
    Mutant("loses workers twice", E, "                if worker in self.experiment.workers:\n", "                if worker:\n"),
    Mutant("seq does not start anew", S, "t.attempt, t.seq, t.worker, t.config = attempt, -1, worker", "t.attempt, t.seq, t.worker, t.config = attempt, t.seq, worker"),
    # law 7
    Mutant("a finish is overruled", E, "        if event.outcome is Outcome.FINISHED:", "        if event.outcome is Outcome.FINISHED and not order:"),
    Mutant("forgets the stop at the exit", E, "elif order and order.then is Then.STOP:", "elif order and order.then is Then.STOP and event.outcome is Outcome.HALTED:"),
    Mutant("forgets the pause at the exit", E, "elif order and order.then is Then.PAUSE and not", "elif order and order.then is Then.PAUSE and event.outcome is Outcome.HALTED and not"),
    Mutant("pauses while it stops", E, "elif order and order.then is Then.PAUSE and not self.experiment.stopping:", "elif order and order.then is Then.PAUSE:"),
    Mutant("an error on the way to a pause is passed over", E, "        elif event.outcome is Outcome.ERROR and -1", "        elif event.outcome is Outcome.ERROR and not (order and order.then is Then.PAUSE) and -1"),
    Mutant("an error undoes the stop", E, "        elif order and order.then is Then.STOP:  #", "        elif order and order.then is Then.STOP and event.outcome is not Outcome.ERROR:  #"),
    Mutant("what is decided at the exit is lost", E, "                self._put_off.append(decision)", "                pass"),
    Mutant("exploits the old config", E, "ev.Requeued(t.id, order.config, order.restore, order", "ev.Requeued(t.id, t.config, order.restore, order"),
    Mutant("exploits its own checkpoint", E, "ev.Requeued(t.id, order.config, order.restore, order", "ev.Requeued(t.id, order.config, t.checkpoint, order"),
    Mutant("forgets the new size", E, "resources = order.resources if order and order.resources is not None else t.resources", "resources = t.resources"),
    Mutant("a stop can be taken back", E, "case Resume(_, reason, why), Status.HALTING if pausing:", "case Resume(_, reason, why), Status.HALTING:"),
    Mutant("stops only once", E, "                if t.order is None or t.order.then is not Then.STOP:\n", "                if t.order is None:\n"),
    Mutant("repeats the stop", E, "                if t.order is None or t.order.then is not Then.STOP:\n", "                if t.order is None or t.order:\n"),
    Mutant("starts over after a failure", E, "            self._record(ev.Requeued(t.id, t.config, t.checkpoint, resources))\n        self", "            self._record(ev.Requeued(t.id, t.config, None, resources))\n        self"),
    Mutant("one failure too many", E, "-1 < limits.max_failures < t.failures", "-1 < limits.max_failures + 1 < t.failures"),
    Mutant("one failure too few", E, "-1 < limits.max_failures < t.failures", "-1 < limits.max_failures <= t.failures"),
    Mutant("no end of patience is an end", E, "-1 < limits.max_failures < t.failures", "limits.max_failures < t.failures"),
    Mutant("never gives a trial up", E, "        elif t.losses > limits.max_losses:", "        elif t.losses > limits.max_losses + 99:"),
    Mutant("leaving is a loss", S, "t.losses += outcome is Outcome.LOST or", "t.losses += outcome in (Outcome.LOST, Outcome.LEFT) or"),
    Mutant("losses are never forgiven", S, "t.seq, t.metrics, t.losses = seq, metrics, 0", "t.seq, t.metrics = seq, metrics"),
    Mutant("a lost worker is the trial's fault", S, "t.failures += outcome is Outcome.ERROR", "t.failures += outcome in (Outcome.ERROR, Outcome.LOST)"),
    Mutant("saves what is thrown away", E, "Verdict.SAVE_AND_HALT if goes_on and t.order and t.order.config is None else", "Verdict.SAVE_AND_HALT if goes_on else"),
    Mutant("saves nothing", E, "return Verdict.SAVE_AND_HALT if", "return Verdict.HALT if"),
    Mutant("redelivers no halt", E, "            if t.order is not None:\n                yield t.order", "            if t.order is None:\n                continue"),
    # laws 8 and 9
    Mutant("leaves the lost half way", E, "                        self._exit(ev.Exited(trial, attempt, outcome,", "                        self._record(ev.Exited(trial, attempt, outcome,"),
    Mutant("launches one at a time", E, "            while self._launch_next():\n                pass\n", "            self._launch_next()\n"),
    Mutant("a trial stopped at birth ends the day", E, "            return not self._full and self._propose()", "            return not self._full and self._propose() and bool(s.waiting)"),
    Mutant(
        "is full for ever", E, "        self._starved = self._full = False\n        while", "        self._starved = False\n        while"
    ),
    Mutant(
        "is full when something leaves",
        E,
        "QUIET = (ev.Reported, ev.Halted, ev.Forgotten)",
        "QUIET = (ev.Reported, ev.Halted, ev.Forgotten, ev.Exited, ev.Ended)",
    ),
    Mutant("one too many at once", E, "s.held >= most", "s.held > most"),
    Mutant("counts only what runs", S, "return len(self.by_status[Status.RUNNING]) + len(self.by_status[Status.HALTING])", "return len(self.by_status[Status.RUNNING])"),
    Mutant("one trial too many", E, "len(self.experiment) >= wanted", "len(self.experiment) > wanted"),
    Mutant("frees nothing", S, "            if t.worker in s.workers:\n                del s.workers[t.worker].held[t.id]\n                _recount(s, s.workers[t.worker])", "            if t.worker in s.workers:\n                del s.workers[t.worker].held[t.id]"),
    Mutant("takes nothing", S, "            s.workers[worker].held[t.id] = None\n            _recount(s, s.workers[worker])", "            s.workers[worker].held[t.id] = None"),
    Mutant("a worker that joins again is empty", S, "            w.resources = resources\n            _recount(s, w)", "            w.resources = w.free = resources\n            s.idle[worker] = None"),
    Mutant("a lost worker stays idle", S, "            s.idle.pop(worker, None)\n        case ev.Forgotten", "            s.idle.get(worker)\n        case ev.Forgotten"),
    Mutant("waits for ever", S, "            del s.waiting[key][t.id]\n            if not", "            if not"),
    Mutant("does not wait again", S, "        if to is Status.PENDING:\n            s.waiting.setdefault", "        if to is Status.PENDING and not t.attempt:\n            s.waiting.setdefault"),
    Mutant("sees one resource", R, "            return False\n    return True", "            return False\n        break\n    return True"),
    Mutant("fractions do not add up", R, "_SLACK = 1e-9", "_SLACK = 0.0"),
    Mutant("half is enough", R, "if amount > free.get(name, 0.0) + _SLACK", "if amount / 2 > free.get(name, 0.0) + _SLACK"),
    Mutant("nothing does not fit", S, "if self.workers and not any(request.values()):", "if self.workers and not request:"),
    # law 10
    Mutant("says nothing when it stalls", E, "        self._record(ev.Stalled())\n", ""),
    Mutant("lets itself be held back", E, "return self._launch(next(iter(waiting)))", "return False"),
    Mutant("leaves the paused", E, "        if paused:\n", "        if not paused:\n"),
    Mutant("believes a searcher that waits at once", E, "        self._record(ev.Stalled())\n        self._starved = False\n", "        self._record(ev.Stalled())\n"),
    Mutant("never says that the space is exhausted", E, '            self._record(ev.SpaceExhausted("the searcher waits for results although nothing runs"))', "            pass"),
    Mutant("waits for what never comes", E, "if not self.limits.elastic and self._refuse_what_never_fits():", "if self._starved and self._refuse_what_never_fits():"),
    Mutant("refuses what may come", E, "if not self.limits.elastic and self._refuse_what_never_fits():", "if self._refuse_what_never_fits():"),
    Mutant("refuses what waits its turn", E, "any(fits(t.resources, w.resources) for", "any(fits(t.resources, w.resources) and w.id == next(iter(s.workers)) for"),
    Mutant("spins on what does not fit", E, "            return not self.limits.elastic\n", "            return True\n"),
    Mutant("resumes while it stops", E, "if self.experiment.stopping and not isinstance(decision, Stop):", "if self.experiment.stopping and isinstance(decision, Finish):"),
    Mutant("stops what runs alone", E, "LIVE = (Status.PENDING, Status.RUNNING, Status.HALTING, Status.PAUSED)", "LIVE = (Status.RUNNING, Status.HALTING)"),
    Mutant("finishes before the queue", E, "return s.stopping or (not s.enqueued and (s.exhausted or self._enough()))", "return s.stopping or s.exhausted or self._enough()"),
    Mutant("never opens again", S, "            s.stopping, s.exhausted = event.stopping, False\n", "            s.exhausted = False\n"),
    Mutant("an end is forgotten by the next driver", S, "s.stopping, s.exhausted = event.stopping, False", "s.stopping = s.exhausted = False"),
    Mutant("no end of trials cannot be asked for", S, "s.num_trials = None if num_trials < 0 else num_trials", "s.num_trials = num_trials"),
    Mutant("who went with the driver stays", S, "            for worker in event.lost:\n", "            for worker in event.lost[1:]:\n"),
    Mutant("the driver's end is the trial's fault", E, 'Outcome.LEFT, f"worker {worker} went', 'Outcome.LOST, f"worker {worker} went'),
    Mutant("what is not to go on does", E, "        for trial in event.ended:\n", "        for trial in event.ended[1:]:\n"),
    Mutant("what waits begins anew", E, "waits = (Status.PENDING, Status.PAUSED) if event.from_scratch else ()", "waits = (Status.PENDING, Status.PAUSED)"),
    Mutant("reruns while it stops", E, "t.status in waits) and not self.experiment.stopping:", "t.status in waits):"),
    Mutant("a rerun is charged for its past", S, "            if t.status.final:", "            if t.status.final and t.losses < 0:"),
    Mutant("a rerun goes on where it was to start anew", E, "restore = None if event.from_scratch else t.checkpoint", "restore = t.checkpoint"),
    Mutant("does not fail fast", E, "if t.status is Status.FAILED and self.limits.fail_fast", "if t.status is Status.STOPPED and self.limits.fail_fast"),
    Mutant("launches while it stops", E, "        if s.stopping or not s.workers:", "        if not s.workers:"),
    # the queue, the scores, the checkpoints
    Mutant("the queue waits", E, "        if enqueued:\n            config", "        if enqueued and self._enough():\n            config"),
    Mutant("the queue stays", S, "                s.enqueued.pop(0)", "                s.enqueued[0]"),
    Mutant("the last comes first", S, "                s.enqueued.pop(0)", "                s.enqueued.pop()"),
    Mutant("a score is lost", S, "t.score = t.score if score is None else score", "t.score = score"),
    Mutant("the latest checkpoint goes", K, "    latest = len(kept) - 1\n", "    latest = -1\n"),
    Mutant("the best checkpoint goes", K, "key=lambda i: (_worth(kept[i]), i)", "key=lambda i: (-_worth(kept[i]), i)"),
    Mutant("the newest of equals goes", K, "key=lambda i: (_worth(kept[i]), i)", "key=lambda i: (_worth(kept[i]), -i)"),
    Mutant("one checkpoint too many", K, "worst_first[: len(kept) - keep]", "worst_first[: len(kept) - keep - 1]"),
    Mutant("the latest takes the place of one of the best", K, "worst_first[: len(kept) - keep] if i != latest", "[i for i in worst_first if i != latest][: len(kept) - keep]"),
    Mutant("forgets what it starts from", K, "if kept[i].ref not in spared", "if kept[i].ref"),
    Mutant("forgets what another is to start from", E, "unwanted(self.experiment.trials[trial].kept, self.limits.keep, self.experiment.pins)", "unwanted(self.experiment.trials[trial].kept, self.limits.keep, self.experiment.trials[trial].starts)"),
    Mutant("an order pins nothing", S, "            _aim(s, t, t.checkpoint, event)\n", "            t.order = event\n"),
    Mutant("a requeued trial pins nothing", S, "            _aim(s, t, restore, None)\n", "            _aim(s, t, None, None)\n            t.checkpoint = restore\n"),
    Mutant("never unpins", S, "        s.pins[ref] -= 1\n", "        s.pins[ref] -= 0\n"),
    Mutant("unpins for all at once", S, "        if not s.pins[ref]:\n", "        if s.pins[ref] < 2:\n"),
    Mutant("keeps for ever what was pinned once", E, "                if ref not in s.pins and ref in s.owners:\n", "                if ref in s.pins and ref in s.owners:\n"),
    Mutant("an ended trial keeps its order's pin", S, "            _aim(s, t, t.checkpoint, None)\n", "            pass\n"),
    Mutant("forgets whose a checkpoint was too late", S, "            s.owners.pop(checkpoint, None)\n", ""),
    Mutant("ranks upside down", S, "rank = None if score is None else -score", "rank = None if score is None else score"),
    Mutant("forgets on paper only", S, "t.kept = tuple(k for k in t.kept if k.ref != checkpoint)", "t.kept = tuple(k for k in t.kept if k.ref)"),
    # the table
    Mutant("a halted trial is deaf", T, "    (Status.HALTING, ev.Reported): Status.HALTING,\n", ""),
    Mutant("a report revives", T, "(Status.HALTING, ev.Reported): Status.HALTING", "(Status.HALTING, ev.Reported): Status.RUNNING"),
    Mutant("the paused cannot end", T, "    (Status.PAUSED, ev.Ended): Status.STOPPED,\n", ""),
    Mutant("anything goes", S, "    if to is None:\n", "    to = to or t.status\n    if to is None:\n"),
)  # fmt: skip
QUICK = ("duplicates count", "the dead speak", "exploits the old config", "one too many at once", "a report revives",
         "the latest checkpoint goes")  # fmt: skip


def killed(mutant: Mutant, tests: tuple[str, ...] = TESTS) -> tuple[bool, str]:
    """Return whether *tests* notice *mutant*, and the line that says so.

    Raises:
        RuntimeError: the tests could not be run at all.
    """
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "luthier"
        shutil.copytree(ROOT / "src" / "luthier", copy, ignore=shutil.ignore_patterns("__pycache__"))
        file = copy / "core" / mutant.file
        file.write_text(mutant.applied(file.read_text("utf-8")), "utf-8")
        environment = {**os.environ, "PYTHONPATH": folder, "LUTHIER_LAWS": "short", "PYTHONDONTWRITEBYTECODE": "1"}
        found = [test for test in tests if (ROOT / test).exists()]
        command = [
            sys.executable,
            "-m",
            "pytest",
            "-x",
            "-q",
            "-p",
            "no:cacheprovider",
            "--tb=line",
            "--timeout=60",
            *found,
        ]
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    lines = [line for line in done.stdout.splitlines() if line.startswith(("FAILED", "ERROR"))]
    if done.returncode not in (0, 1) or any(line.startswith("ERROR") for line in lines):
        raise RuntimeError(f"{mutant.name}: pytest ended with {done.returncode}\n{done.stdout}{done.stderr}")
    return done.returncode == 1, lines[0][:110] if lines else ""


def main(names: list[str]) -> int:
    chosen = [mutant for mutant in MUTANTS if not names or mutant.name in names]
    nobody = Mutant("(the core as it is)", E, "class Engine:", "class Engine:")
    survived, start = [], time.monotonic()
    with ThreadPoolExecutor(min(os.cpu_count() or 1, 4)) as pool:
        for mutant, (dead, how) in zip([nobody, *chosen], pool.map(killed, [nobody, *chosen]), strict=True):
            if mutant is nobody:
                if dead:
                    print(f"the tests fail without any mutant: {how}")
                    return 2
                continue
            print(f"{'killed  ' if dead else 'SURVIVED'}  {mutant.file:12} {mutant.name:45} {how}", flush=True)
            survived += [] if dead else [mutant.name]
    print(f"{len(chosen) - len(survived)} of {len(chosen)} killed in {time.monotonic() - start:.0f} s")
    return 1 if survived else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
