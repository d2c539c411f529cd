"""Hugging Face Transformers: a tiny model, made here, learns to tell sentences apart; its trainer reports and saves."""

from __future__ import annotations

import os
import tempfile

import numpy as np
import torch
import transformers

from luthier import tune
from luthier.tune.integration.transformers import FOLDER, TuneReportCheckpointCallback, resume_from_checkpoint


class Sentences(torch.utils.data.Dataset[dict[str, object]]):
    """Sentences of eight of thirty words: of kind 1 where the first word comes again."""

    def __init__(self, size, seed):
        generator = torch.Generator().manual_seed(seed)
        self.words = torch.randint(0, 30, (size, 8), generator=generator)
        self.words[: size // 2, 5] = self.words[: size // 2, 0]

    def __len__(self):
        return len(self.words)

    def __getitem__(self, at):
        words = self.words[at]
        return {"input_ids": words, "labels": int((words[1:] == words[0]).any())}


def accuracy(evaluated):
    return {"accuracy": float((np.argmax(evaluated.predictions, axis=1) == evaluated.label_ids).mean())}


def train(config):
    transformers.utils.logging.disable_progress_bar()
    torch.manual_seed(0)
    shape = transformers.BertConfig(
        vocab_size=30, hidden_size=config["width"], num_hidden_layers=1, num_attention_heads=2, intermediate_size=32
    )
    with tempfile.TemporaryDirectory() as out, resume_from_checkpoint() as folder:
        transformers.Trainer(
            model=transformers.BertForSequenceClassification(shape),
            args=transformers.TrainingArguments(
                output_dir=out,
                num_train_epochs=2,
                learning_rate=config["rate"],
                per_device_train_batch_size=32,
                eval_strategy="epoch",
                save_strategy="epoch",
                report_to=[],
                disable_tqdm=True,
                logging_strategy="no",
                use_cpu=True,
                dataloader_pin_memory=False,
            ),
            train_dataset=Sentences(512, 0),
            eval_dataset=Sentences(128, 1),
            compute_metrics=accuracy,
            callbacks=[TuneReportCheckpointCallback({"loss": "eval_loss", "accuracy": "eval_accuracy"})],
        ).train(resume_from_checkpoint=folder)


if __name__ == "__main__":
    results = tune.Tuner(
        train,
        param_space={"width": tune.choice([8, 32]), "rate": tune.loguniform(1e-3, 3e-2)},
        tune_config=tune.TuneConfig(metric="loss", mode="min", num_samples=2, seed=1),
        run_config=tune.RunConfig(verbose=0),
    ).fit()
    best = results.get_best_result()
    transformers.utils.logging.disable_progress_bar()
    with best.checkpoint.as_directory() as folder:
        model = transformers.BertForSequenceClassification.from_pretrained(os.path.join(folder, FOLDER))
    print("accuracy of the best model:", best.metrics["accuracy"])
    print("words of the best model, from its checkpoint:", model.config.vocab_size)
