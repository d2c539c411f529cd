"""PyTorch Lightning: a module that logs, a callback that reports, and a trainer that goes on from a checkpoint."""

from __future__ import annotations

import contextlib
import logging
import os
import warnings

import lightning.pytorch as pl
import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from luthier import tune
from luthier.tune.integration.pytorch_lightning import TuneReportCheckpointCallback

EPOCHS = 4


def load():
    """Return batches to learn from and to judge by: pixels from 0 to 1, and digits."""
    x, y = load_digits(return_X_y=True)
    seen, unseen, digits, answers = train_test_split(x / 16, y, random_state=0)
    batches = []
    for pixels, labels in ((seen, digits), (unseen, answers)):
        data = torch.utils.data.TensorDataset(torch.tensor(pixels, dtype=torch.float32), torch.tensor(labels))
        batches.append(torch.utils.data.DataLoader(data, batch_size=64, shuffle=labels is digits))
    return batches


class Digits(pl.LightningModule):
    def __init__(self, config):
        super().__init__()
        self.save_hyperparameters()
        self.rate = config["rate"]
        self.layers = torch.nn.Sequential(
            torch.nn.Linear(64, config["units"]), torch.nn.ReLU(), torch.nn.Linear(config["units"], 10)
        )

    def training_step(self, batch, _):
        return torch.nn.functional.cross_entropy(self.layers(batch[0]), batch[1])

    def validation_step(self, batch, _):
        self.log("val_accuracy", (self.layers(batch[0]).argmax(1) == batch[1]).float().mean())

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), self.rate)


def train(config):
    warnings.filterwarnings("ignore")  # Lightning's advice on loaders
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    pl.seed_everything(0, verbose=False)
    seen, unseen = load()
    trainer = pl.Trainer(
        max_epochs=EPOCHS,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        callbacks=[TuneReportCheckpointCallback({"accuracy": "val_accuracy"}, filename="trainer.ckpt")],
    )
    checkpoint = tune.get_checkpoint()  # of an attempt before this one, if there was any
    with checkpoint.as_directory() if checkpoint else contextlib.nullcontext() as folder:
        resumed = os.path.join(folder, "trainer.ckpt") if folder else None
        trainer.fit(Digits(config), seen, unseen, ckpt_path=resumed)


if __name__ == "__main__":
    results = tune.Tuner(
        train,
        param_space={"units": tune.choice([16, 64]), "rate": tune.loguniform(1e-3, 1e-1)},
        tune_config=tune.TuneConfig(metric="accuracy", mode="max", num_samples=2, seed=1),
        run_config=tune.RunConfig(verbose=0),
    ).fit()
    best = results.get_best_result()
    with best.checkpoint.as_directory() as folder:
        module = Digits.load_from_checkpoint(os.path.join(folder, "trainer.ckpt"), weights_only=False)
    pixels, answers = load()[1].dataset.tensors
    accuracy = (module.layers(pixels).argmax(1) == answers).float().mean().item()
    print(f"accuracy of the best module, from its checkpoint: {accuracy:.3f}")
