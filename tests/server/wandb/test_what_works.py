"""The page's table of what works: each row has its tests, which are there and, as far as they were run, have passed.

It comes after the others of this directory; ``make wandb`` runs all of them, so that none is missing there.
"""

from __future__ import annotations

import ast
from pathlib import Path

from tests.server.wandb.test_refusals import NOT_HERE, OTHER, UNKNOWN

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "docs" / "how-to" / "use-the-wandb-client.md"
FLEET = "../../agent/test_fleet.py"
# The first words of a row, and the tests that show it.
TESTS = {
    "`wandb login --verify`": {
        "test_runs.py": ["a_key_is_tried_when_somebody_logs_in", "all_that_a_run_logs_is_there"]
    },
    "console output": {
        "test_runs.py": ["all_that_a_run_logs_is_there"],
        "test_protocol.py": ["the_latest_state_of_the_machine_is_kept"],
    },
    "`resume=": {"test_runs.py": ["runs_are_resumed", "an_offline_run_is_synced"]},
    "a server that is away": {"test_runs.py": ["a_run_outlives_a_server_that_goes_and_comes_back"]},
    "stopping a run of no sweep": {
        "test_runs.py": ["a_run_by_itself_that_is_stopped_tells_all_and_ends"],
        "test_protocol.py": ["a_run_by_itself_is_stopped_from_its_page"],
    },
    "`wandb.sweep`, `wandb sweep`": {
        "test_sweeps.py": [
            "three_agents_share_a_grid_without_a_point_twice",
            "a_run_that_is_stopped_makes_room_for_the_next",
            "a_sweep_is_paused_goes_on_and_outlives_its_server",
        ],
    },
    "`wandb.sweep(tune_config)`": {
        "test_sweeps.py": ["a_sweep_built_in_python_is_run_by_an_agent_that_calls_a_function"],
        "test_seed.py": ["the_pages_script_as_it_stands_and_three_agents_complete_its_runs"],
    },
    "`luthier agent --wandb`": {
        "test_seed.py": [
            "the_pages_script_is_taken_by_wandb_sweep_and_run_by_an_agent_for_each_gpu",
            "ctrl_c_ends_w_and_bs_agents_and_all_that_their_runs_have_logged_is_there",
        ],
        FLEET: ["kill_9_leaves_nothing_behind", "what_heeds_nothing_is_killed_and_so_it_is_at_the_second_ctrl_c"],
    },
    "pause, resume, stop, cancel": {
        "test_sweeps.py": [
            "a_sweep_is_paused_goes_on_and_outlives_its_server",
            "hyperband_stops_what_is_worse",
            "a_command_line_run_ends_in_order_when_its_client_is_told",
        ],
    },
    "`wandb.Api()`": {
        "test_api.py": ["the_public_interface_reads_what_is_there"],
        "test_filters.py": ["what_cannot_be_a_pattern_is_refused_with_the_reason"],
    },
    "local controller": {"test_controllers.py": ["a_local_controller_drives_a_sweep"]},
    "`wandb sweep-scheduler`": {"test_sweeps.py": ["a_scheduler_of_the_client_drives_a_sweep"]},
    "artifacts": {"test_artifacts.py": ["artifacts_are_logged_used_and_downloaded"]},
    "`wandb sweep --update`": {
        "test_refusals.py": ["other_parameters_for_a_sweep_that_is_there_are_refused", "the_client_shows_why"],
    },
    "Launch, reports, registries and links of artifacts": {
        "test_refusals.py": ["an_operation_that_is_not_here_is_named", "the_client_shows_why"],
    },
    "`run.alert`": {"test_refusals.py": ["an_operation_that_is_not_here_is_named", "the_client_shows_why"]},
}


def rows():
    """Return the table's rows: what it is about, and what is said of it."""
    lines = PAGE.read_text("utf-8").partition("| with W&B's client | |\n|---|---|\n")[2].splitlines()
    return dict(line.strip("| ").split(" | ", 1) for line in lines if line.startswith("|"))


def test_each_row_has_its_tests():
    firsts = [[first for first in TESTS if row.startswith(first)] for row in rows()]
    assert all(len(found) == 1 for found in firsts), "each row begins with one of those above"
    assert [found[0] for found in firsts] == list(TESTS), "and each of those has a row"


def test_each_test_is_there_and_is_not_skipped():
    for tests in TESTS.values():
        for file, names in tests.items():
            tree = ast.parse((Path(__file__).parent / file).read_text("utf-8"))
            found = {node.name: node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
            for name in names:
                marks = [ast.unparse(mark) for mark in found[f"test_{name}"].decorator_list]
                assert not any("skip" in mark or "xfail" in mark for mark in marks), name
                assert file != FLEET or "pytest.mark.slow" not in marks, "no target would run it"


def test_what_is_refused_is_refused_in_the_words_of_the_page():
    said = rows()
    refused = {row: text for row, text in said.items() if not text.startswith("works")}
    assert len(refused) == 3
    assert f"`{OTHER}`" in refused["`wandb sweep --update`: other parameters for a sweep that is there"]
    named = "Launch, reports, registries and links of artifacts"
    assert f"`{UNKNOWN}`" in refused[named]
    assert all(word in f"{named}, alerts" for word in NOT_HERE)


def test_those_that_were_run_have_passed(request):
    """In a process of its own among several, it has seen but some of them."""
    if hasattr(request.config, "workerinput"):
        return
    items = request.session.items
    known = {f"test_{name}" for tests in TESTS.values() for names in tests.values() for name in names}
    ran = [item for item in items[: items.index(request.node)] if item.path.parent == Path(__file__).parent]
    bad = [item.name for item in ran if item.originalname in known and getattr(item, "outcome", "") != "passed"]
    assert not bad
