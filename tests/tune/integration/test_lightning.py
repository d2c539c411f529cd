"""Lightning: what the callback reports, saves, and goes on from."""

from __future__ import annotations

import os
import warnings

import lightning.pytorch as pl
import pytest
import torch

from luthier import tune
from luthier.core.errors import BadArgument
from luthier.train.lightning import RayTrainReportCallback
from luthier.tune.integration.pytorch_lightning import (
    MOMENTS,
    TuneCallback,
    TuneReportCallback,
    TuneReportCheckpointCallback,
)

X = torch.randn(64, 4, generator=torch.Generator().manual_seed(0))
DATA = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(X, X.sum(1, keepdim=True)), batch_size=16)

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore:.*num_workers.*", "ignore:.*dataloader.*")


class Line(pl.LightningModule):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.layer = torch.nn.Linear(4, 1)

    def training_step(self, batch, _):
        loss = torch.nn.functional.mse_loss(self.layer(batch[0]), batch[1])
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch, _):
        self.log("val_loss", torch.nn.functional.mse_loss(self.layer(batch[0]), batch[1]))

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), 0.1)


def learn(callback, epochs=2, resumed=None):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Lightning's advice on loaders and loggers
        trainer = pl.Trainer(
            max_epochs=epochs,
            accelerator="cpu",
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            callbacks=[callback],
        )
        trainer.fit(Line(), DATA, DATA, ckpt_path=resumed, weights_only=False)
    return trainer


def fit(train, tmp_path, **how):
    def trainable(config):
        train(config)

    run = tune.RunConfig(storage_path=tmp_path, verbose=0, executor="inline", **how)
    return tune.Tuner(trainable, run_config=run).fit()[0]


def test_what_was_logged_and_a_checkpoint_after_each_validation(tmp_path):
    callback = TuneReportCheckpointCallback({"loss": "val_loss"}, filename="trainer.ckpt")
    result = fit(lambda config: learn(callback), tmp_path)
    assert result.error is None
    assert result.metrics["training_iteration"] == 2  # and none in the rehearsal
    with result.checkpoint.as_directory() as folder:
        saved = torch.load(os.path.join(folder, "trainer.ckpt"), weights_only=False)
    module = Line()
    module.load_state_dict(saved["state_dict"])
    loss = torch.nn.functional.mse_loss(module.layer(X), X.sum(1, keepdim=True))
    assert loss.item() == pytest.approx(result.metrics["loss"], rel=1e-4)


def test_it_goes_on(tmp_path):
    def train(config):
        checkpoint = tune.get_checkpoint()
        callback = TuneReportCheckpointCallback("val_loss")
        if not checkpoint:
            learn(callback, 1)
            raise RuntimeError("the machine died")
        with checkpoint.as_directory() as folder:
            trainer = learn(callback, 3, os.path.join(folder, "checkpoint"))
        tune.report({"steps": trainer.global_step})

    result = fit(train, tmp_path, failure_config=tune.FailureConfig(max_failures=1))
    assert result.error is None
    assert result.metrics["steps"] == 3 * 4
    assert result.metrics["training_iteration"] == 4


def test_what_is_not_logged_yet_is_left_out_and_said_once(tmp_path, caplog):
    callback = TuneReportCheckpointCallback(["val_loss", "auc"], save_checkpoints=False)
    result = fit(lambda config: learn(callback), tmp_path)
    assert result.metrics["val_loss"] > 0
    assert result.checkpoint is None
    assert caplog.text.count("has logged no 'auc'") == 1


def test_each_of_several_moments(tmp_path):
    callback = TuneReportCheckpointCallback("train_loss", on=["train_batch_end", "train_end"], save_checkpoints=False)
    assert fit(lambda config: learn(callback), tmp_path).metrics["training_iteration"] == 2 * 4 + 1


def test_of_your_own():
    seen = []

    class Own(TuneCallback):
        def handle(self, trainer, module):
            seen.append((trainer.current_epoch, type(module).__name__))

    learn(Own(on="train_epoch_end"))
    assert seen == [(0, "Line"), (1, "Line")]
    assert "validation_end" in MOMENTS


def test_the_older_name_reports_only(tmp_path):
    def train(config):
        with pytest.warns(DeprecationWarning, match="TuneReportCallback"):
            callback = TuneReportCallback("val_loss")
        learn(callback)

    result = fit(train, tmp_path)
    assert result.error is None
    assert result.checkpoint is None
    assert result.metrics["val_loss"] > 0


def test_as_scripts_for_ray_train_have_it(tmp_path):
    result = fit(lambda config: learn(RayTrainReportCallback()) and None, tmp_path)
    told = {name: result.metrics[name] for name in ("training_iteration", "epoch", "step")}
    assert told == {"training_iteration": 2, "epoch": 1, "step": 8}
    assert {"train_loss", "val_loss"} <= result.metrics.keys()
    with result.checkpoint.as_directory() as folder:
        assert os.listdir(folder) == [RayTrainReportCallback.CHECKPOINT_NAME]


def test_a_moment_that_is_none():
    with pytest.raises(BadArgument, match="on='epoch' cannot be used"):
        TuneReportCheckpointCallback(on="epoch")
