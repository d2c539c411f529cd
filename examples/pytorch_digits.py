"""PyTorch: a training loop of one's own, with checkpoints to go on from; ASHA ends bad trials early."""

from __future__ import annotations

import os
import tempfile

import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from luthier import tune
from luthier.tune.schedulers import ASHAScheduler

EPOCHS = 8


def load():
    """Return pixels from 0 to 1 and digits: to learn from, and to judge by."""
    x, y = load_digits(return_X_y=True)
    seen, unseen, digits, answers = train_test_split(x / 16, y, random_state=0)
    return [torch.tensor(part, dtype=torch.float32) for part in (seen, unseen)] + [
        torch.tensor(part) for part in (digits, answers)
    ]


def model_of(config):
    return torch.nn.Sequential(
        torch.nn.Linear(64, config["units"]), torch.nn.ReLU(), torch.nn.Linear(config["units"], 10)
    )


def train(config):
    torch.manual_seed(0)
    torch.set_num_threads(1)
    seen, unseen, digits, answers = load()
    model = model_of(config)
    optimizer = torch.optim.Adam(model.parameters(), config["rate"])
    begin = 0
    checkpoint = tune.get_checkpoint()  # of an attempt before this one, if there was any
    if checkpoint:
        with checkpoint.as_directory() as folder:
            state = torch.load(os.path.join(folder, "state.pt"))
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        begin = state["epoch"]
    for epoch in range(begin, EPOCHS):
        for batch in torch.randperm(len(seen)).split(64):
            loss = torch.nn.functional.cross_entropy(model(seen[batch]), digits[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        with torch.no_grad():
            accuracy = (model(unseen).argmax(1) == answers).float().mean().item()
        with tempfile.TemporaryDirectory() as folder:
            state = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "epoch": epoch + 1}
            torch.save(state, os.path.join(folder, "state.pt"))
            tune.report({"accuracy": accuracy}, checkpoint=tune.Checkpoint.from_directory(folder))


if __name__ == "__main__":
    results = tune.Tuner(
        train,
        param_space={"units": tune.choice([16, 64]), "rate": tune.loguniform(1e-4, 1e-1)},
        tune_config=tune.TuneConfig(
            metric="accuracy",
            mode="max",
            num_samples=6,
            seed=1,
            scheduler=ASHAScheduler(max_t=EPOCHS, grace_period=1, reduction_factor=2),
        ),
        run_config=tune.RunConfig(verbose=0),
    ).fit()
    best = results.get_best_result()
    seen, unseen, digits, answers = load()
    model = model_of(best.config)
    with best.checkpoint.as_directory() as folder:
        model.load_state_dict(torch.load(os.path.join(folder, "state.pt"))["model"])
    accuracy = (model(unseen).argmax(1) == answers).float().mean().item()
    print("epochs of each trial:", sorted(result.metrics["training_iteration"] for result in results))
    print(f"accuracy of the best model, from its checkpoint: {accuracy:.3f}")
