"""The project's examples that log through W&B's own client, as its two variables send them to this server."""

from __future__ import annotations

from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[3] / "examples"


def test_each_is_known():
    assert {path.name for path in EXAMPLES.glob("w*.py")} == {"wandb_keras.py", "wandb_pytorch.py"}


@pytest.mark.parametrize("name", [pytest.param("keras", marks=pytest.mark.slow), "pytorch"])
def test_all_that_an_example_logs_is_there(place, name):
    """The variables for the server alone; the others keep its files out of the tests' way, and machine metrics off."""
    printed = place.ended(place.start(str(EXAMPLES / f"wandb_{name}.py"), WANDB_RUN_ID=name, KERAS_BACKEND="torch"))
    assert "accuracy on digits never seen: 0.9" in printed
    run = place.get(f"/runs/{name}")
    assert (run["project"], run["state"], run["rows"]) == ("digits", "finished", 5)
    assert run["config"] == {"units": 32, "rate": 0.01, "epochs": 5}
    history = place.get(f"/runs/{name}/history")["items"]
    assert [row["epoch"] for row in history] == list(range(5))
    assert history[-1]["val_loss"] < history[0]["val_loss"] and history[-1]["val_accuracy"] > 0.9
    files = [file["path"] for file in place.get(f"/runs/{name}/files")]
    assert any("model." in path for path in files), files
