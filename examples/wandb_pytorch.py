"""PyTorch with W&B's own client: a plain training script. WANDB_BASE_URL and WANDB_API_KEY say where its rows go.

It is also the program of a sweep: what the sweep has chosen takes the place of the defaults.
"""

from __future__ import annotations

import torch
import wandb
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

DEFAULTS = {"units": 32, "rate": 0.01, "epochs": 5}


def load():
    """Return pixels from 0 to 1 and digits: to learn from, and to judge by."""
    x, y = load_digits(return_X_y=True)
    seen, unseen, digits, answers = train_test_split(x / 16, y, random_state=0)
    return [torch.tensor(part, dtype=torch.float32) for part in (seen, unseen)] + [
        torch.tensor(part) for part in (digits, answers)
    ]


def judge(model, x, y):
    """Return the loss and the accuracy of *model*."""
    with torch.no_grad():
        guesses = model(x)
    return torch.nn.functional.cross_entropy(guesses, y).item(), (guesses.argmax(1) == y).float().mean().item()


def train(run):
    torch.manual_seed(0)
    torch.set_num_threads(1)
    seen, unseen, digits, answers = load()
    units = run.config.units
    model = torch.nn.Sequential(torch.nn.Linear(64, units), torch.nn.ReLU(), torch.nn.Linear(units, 10))
    optimizer = torch.optim.Adam(model.parameters(), run.config.rate)
    for epoch in range(run.config.epochs):
        for batch in torch.randperm(len(seen)).split(64):
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(model(seen[batch]), digits[batch]).backward()
            optimizer.step()
        loss, accuracy = judge(model, unseen, answers)
        run.log({"epoch": epoch, "val_loss": loss, "val_accuracy": accuracy})
    return model


if __name__ == "__main__":
    with wandb.init(project="digits", config=DEFAULTS) as run:
        model = train(run)
        torch.save(model.state_dict(), "model.pt")
        weights = wandb.Artifact(f"digits-{run.id}", type="model", metadata={"accuracy": run.summary["val_accuracy"]})
        weights.add_file("model.pt")
        run.log_artifact(weights)
        print(f"accuracy on digits never seen: {run.summary['val_accuracy']:.3f}")
