"""Ours writes the policy files that Ray's PBT writes, and reads from them what its replay reads."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from luthier.callbacks import policy_files
from luthier.core import events as ev
from luthier.core.terms import Label, Ref, Then, TrialId
from luthier.tune.schedulers.pbt_replay import schedule_in

PolicyFiles: Any = policy_files.PolicyFiles  # it asks for no experiment


def events_of(case):
    """Return events of an experiment in which the case's steps took place, one list for each batch."""
    firsts = dict[int, Any]()
    for target, source, _, _, config, _ in case["steps"]:
        firsts.setdefault(source, config)
        firsts.setdefault(target, {})
    batches: list[list[Any]] = [
        [ev.Proposed(TrialId(str(n)), n, firsts.get(n, {}), {}, Label("", "", tag))]
        for n, tag in enumerate(case["tags"])
    ]
    for k, (target, source, at, source_at, _, new) in enumerate(case["steps"]):
        t, s, ref = TrialId(str(target)), TrialId(str(source)), Ref(f"{source}/{k}")
        batches.append([ev.Reported(t, 1, k, {"training_iteration": at})])
        batches.append([ev.Reported(s, 1, k, {"training_iteration": source_at}, ref)])
        batches.append([ev.Halted(t, 1, Then.REQUEUE, "", new, ref, why={"source": s})])
        batches.append([ev.Reported(s, 1, k, {"training_iteration": source_at + 3}, Ref(f"{source}/later"))])
        batches.append([ev.Requeued(t, new, ref, {})])
    return batches


def files_in(folder):
    return {path.name: [json.loads(line) for line in path.read_text().splitlines()] for path in folder.iterdir()}


@pytest.mark.parametrize("restored", [False, True])
def test_the_files_are_rays(recorded, tmp_path, restored):
    for number, case in enumerate(recorded("policy_files")):
        folder = tmp_path / str(number)
        folder.mkdir()
        batches = events_of(case)
        half = len(batches) // 2
        files = PolicyFiles(folder)
        for batch in batches[: half if restored else None]:
            files.on_events(batch, None)
        if restored:
            files = PolicyFiles(folder)  # the driver was killed, and a new one reads the log
            files.recall(event for batch in batches[:half] for event in batch)
            for batch in batches[half:]:
                files.on_events(batch, None)
        wanted = {name: [json.loads(line) for line in lines] for name, lines in case["files"].items()}
        assert files_in(folder) == wanted, f"case {number}"


def test_rays_files_are_read_as_by_rays_replay(recorded, tmp_path):
    cases = recorded("policy_files")
    assert sum(len(case["replays"]) for case in cases) > 50
    for number, case in enumerate(cases):
        for name, lines in case["files"].items():
            Path(tmp_path, name).write_text("".join(f"{line}\n" for line in lines))
        for trial, (config, policy) in case["replays"].items():
            first, schedule = schedule_in(str(tmp_path / f"pbt_policy_{trial}.txt"))
            assert first == config, f"case {number}"
            assert [config for _, config in schedule] == [config for _, config in policy]
            assert [at for at, _ in schedule] == [min(later for later, _ in policy[k:]) for k in range(len(policy))]
