"""The best checkpoints and the latest one stay, whatever else goes."""

from __future__ import annotations

from pathlib import Path

import pytest

from luthier import tune

NAN = float("nan")


@pytest.mark.parametrize(
    ("scores", "order", "keep", "stay"),
    [
        ([1, 3, 2, 0], "max", 1, [1, 3]),  # the best one, and the latest one beside it
        ([1, 3, 2, 4], "max", 1, [3]),
        ([3, 1, 2, 4], "min", 1, [1, 3]),
        ([2, 2, 2, 1], "max", 2, [1, 2, 3]),  # of equals the newer ones
        ([NAN, 5, NAN, NAN], "min", 1, [1, 3]),
        ([NAN, 5, NAN, NAN], "max", 1, [1, 3]),
        ([NAN, NAN, NAN], "max", 1, [2]),
        ([None, 1, None], "max", 1, [1, 2]),  # without the metric
        ([3, 2, 1], None, 2, [1, 2]),  # without a rule the newest
    ],
)
def test_which_stay(tmp_path, scores, order, keep, stay):
    def trainable(config):
        for i, score in enumerate(scores):
            metrics = {"i": i} if score is None else {"i": i, "score": score}
            tune.report(metrics, checkpoint=tune.Checkpoint.from_dict({"i": i}))

    rule = {} if order is None else {"checkpoint_score_attribute": "score", "checkpoint_score_order": order}
    (result,) = tune.Tuner(
        trainable,
        run_config=tune.RunConfig(
            storage_path=tmp_path, verbose=0, executor="inline",
            checkpoint_config=tune.CheckpointConfig(num_to_keep=keep, **rule),
        ),
    ).fit()  # fmt: skip
    names = sorted(p.name for p in Path(result.path).glob("checkpoint_*"))
    assert names == [f"checkpoint_{i:06d}" for i in stay]
    assert result.checkpoint.to_dict() == {"i": len(scores) - 1}
    assert sorted(checkpoint.to_dict()["i"] for checkpoint, _ in result.best_checkpoints) == stay
