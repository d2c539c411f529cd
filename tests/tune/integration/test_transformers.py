"""Transformers: a tiny model, made here, whose trainer reports, saves and goes on."""

from __future__ import annotations

import os

import pytest
import torch
from transformers import BertConfig, BertForSequenceClassification, Trainer, TrainingArguments

from luthier import tune
from luthier.train.huggingface.transformers import RayTrainReportCallback, prepare_trainer
from luthier.tune.integration.transformers import TuneReportCheckpointCallback, resume_from_checkpoint


class Words(torch.utils.data.Dataset[dict[str, object]]):
    """Sentences of eight words; those with more high ones are of the second kind."""

    def __init__(self, size):
        self.words = torch.randint(0, 30, (size, 8), generator=torch.Generator().manual_seed(size))

    def __len__(self):
        return len(self.words)

    def __getitem__(self, at):
        words = self.words[at]
        return {"input_ids": words, "labels": int(words.float().mean() > 15)}


def trainer_of(folder, callback, epochs=2, **how):
    torch.manual_seed(0)
    config = BertConfig(vocab_size=30, hidden_size=8, num_hidden_layers=1, num_attention_heads=1, intermediate_size=8)
    arguments = {"eval_strategy": "epoch", "save_strategy": "epoch", "logging_strategy": "epoch"} | how
    return Trainer(
        model=BertForSequenceClassification(config),
        args=TrainingArguments(
            output_dir=str(folder),
            num_train_epochs=epochs,
            per_device_train_batch_size=16,
            report_to=[],
            disable_tqdm=True,
            use_cpu=True,
            dataloader_pin_memory=False,
            **arguments,
        ),
        train_dataset=Words(32),
        eval_dataset=Words(16),
        callbacks=[callback],
    )


def fit(train, tmp_path, **how):
    run = tune.RunConfig(storage_path=tmp_path / "results", verbose=0, executor="inline", **how)
    return tune.Tuner(train, run_config=run).fit()[0]


@pytest.mark.parametrize(
    ("how", "reports", "saved"),
    [
        ({}, 2, True),
        ({"save_strategy": "no"}, 2, False),
        ({"eval_strategy": "no"}, 2, True),
        ({"eval_strategy": "steps", "eval_steps": 1}, 4, True),
    ],
)
def test_when_it_reports(tmp_path, how, reports, saved):
    def train(config):
        trainer_of(tmp_path / "out", TuneReportCheckpointCallback(), **how).train()

    result = fit(train, tmp_path)
    assert result.error is None
    assert result.metrics["training_iteration"] == reports
    assert (result.checkpoint is not None) == saved
    assert result.metrics["global_step"] == 4
    assert ("eval_loss" in result.metrics) == (how.get("eval_strategy") != "no")


def test_it_goes_on(tmp_path):
    def train(config):
        died = tune.get_checkpoint() is None
        with resume_from_checkpoint() as folder:
            assert (folder is None) == died
            trainer = trainer_of(
                tmp_path / ("first" if died else "second"), TuneReportCheckpointCallback({"loss": "eval_loss"}),
                1 if died else 3,
            )  # fmt: skip
            trainer.train(resume_from_checkpoint=folder)
        if died:
            raise RuntimeError("the machine died")

    result = fit(train, tmp_path, failure_config=tune.FailureConfig(max_failures=1))
    assert result.error is None
    assert result.metrics["global_step"] == 3 * 2
    assert result.metrics["training_iteration"] == 3
    assert result.metrics["loss"] > 0


def test_each_trial_has_an_output_dir_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def train(config):
        trainer = prepare_trainer(trainer_of("out", RayTrainReportCallback(), epochs=1))
        trainer.train()
        tune.report({"folder": trainer.args.output_dir, "eval_loss": 0.0})

    run = tune.RunConfig(storage_path=tmp_path / "results", verbose=0, executor="inline")
    results = tune.Tuner(train, param_space={"x": tune.grid_search([1, 2])}, run_config=run).fit()
    assert [result.metrics["folder"] for result in results] == [f"{result.path}/out" for result in results]
    for result in results:
        with result.checkpoint.as_directory() as folder:
            assert os.path.exists(os.path.join(folder, RayTrainReportCallback.CHECKPOINT_NAME, "trainer_state.json"))
    assert not list(tmp_path.glob("out/*"))
