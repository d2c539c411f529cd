"""``luthier demo``: tune a real classifier in a few seconds."""

from __future__ import annotations

import pickle
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import click

from luthier.callbacks.spelling import duration
from luthier.cli.opened import Refused


@click.command(short_help="Tune a classifier of handwritten digits.")
@click.option("--trials", type=click.IntRange(min=1), default=32, show_default=True, help="How many configs to try.")
@click.option("--storage-path", type=click.Path(file_okay=False), default=None, help="Where results go.")
@click.option("--seed", type=int, default=0, show_default=True, help="Another seed, other configs.")
@click.option("--verbose", type=click.IntRange(0, 3), default=1, show_default=True, help="How much to tell.")
def demo(trials: int, storage_path: str | None, seed: int, verbose: int) -> None:
    """Tune a network that reads handwritten digits, and test the best one on digits that it never saw.

    Trials train side by side, one process each; ASHA stops those that fall behind. Needs scikit-learn.
    """
    if find_spec("sklearn") is None:
        raise Refused("the demo needs scikit-learn: pip install 'luthier[sklearn]'")
    _run(trials, storage_path, seed, verbose)


def _run(trials: int, storage_path: str | None, seed: int, verbose: int) -> None:
    from luthier import tune
    from luthier.cli import digits
    from luthier.tune.schedulers import ASHAScheduler

    started = time.perf_counter()
    parts = digits.load()
    space: dict[str, Any] = {
        "hidden": tune.choice([32, 64, 128, 256]),
        "lr": tune.loguniform(1e-4, 1e-1),
        "alpha": tune.loguniform(1e-6, 1e-1),
        "batch_size": tune.choice([16, 32, 64, 128]),
        "activation": tune.choice(["relu", "tanh"]),
    }
    tuner = tune.Tuner(
        tune.with_parameters(digits.train, digits=parts),
        param_space=space,
        tune_config=tune.TuneConfig(
            metric="accuracy",
            mode="max",
            num_samples=trials,
            scheduler=ASHAScheduler(max_t=digits.EPOCHS, grace_period=1, reduction_factor=3),
            seed=seed,
        ),
        run_config=tune.RunConfig(
            storage_path=storage_path,
            checkpoint_config=tune.CheckpointConfig(num_to_keep=1),
            verbose=verbose,
        ),
    )
    results = tuner.fit()
    best = results.get_best_result()
    if best.checkpoint is None or best.metrics is None:
        raise Refused(f"no trial came to a checkpoint; see luthier show {results.experiment_path} --failures")
    with best.checkpoint.as_directory() as saved:
        model, epoch = pickle.loads((Path(saved) / digits.MODEL).read_bytes())  # noqa: S301 (the trial wrote it)
    tuned = digits.test_accuracy(model, parts)
    untuned = digits.test_accuracy(digits.with_defaults(parts), parts)
    click.echo("")
    click.echo(f"Validation accuracy of the best trial after {epoch} epochs:        {best.metrics['accuracy']:.3f}")
    click.echo(f"Test accuracy of the best model, loaded from its checkpoint: {tuned:.3f}")
    click.echo(f"Test accuracy with scikit-learn's default hyperparameters:   {untuned:.3f}")
    click.echo(f"{len(results)} trials in {duration(time.perf_counter() - started)}.")
