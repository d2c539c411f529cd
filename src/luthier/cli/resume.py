"""``luthier resume``: an experiment goes on, from the command line."""

from __future__ import annotations

import math

import click

from luthier.cli.opened import Refused, by_name


@click.command(short_help="Go on with an experiment.")
@click.argument("experiment")
@click.option("--errored", is_flag=True, help="Trials that failed go on from their last checkpoint.")
@click.option("--restart-errored", is_flag=True, help="Trials that failed begin anew.")
@click.option("--num-samples", type=int, default=None, metavar="N", help="Samples in all; -1 for no end.")
@click.option("--time-budget", type=float, default=None, metavar="S", help="Seconds in all, those used included; inf.")
@click.option("--trainable", metavar="MODULE:NAME", default=None, help="What to train; or train.py:NAME.")
@click.option("--verbose", type=click.IntRange(0, 3), default=None, help="How much to tell.")
def resume(
    *,
    experiment: str,
    errored: bool,
    restart_errored: bool,
    num_samples: int | None,
    time_budget: float | None,
    trainable: str | None,
    verbose: int | None,
) -> None:
    """Go on with EXPERIMENT (its directory) where it stopped, after a crash or Ctrl-C, or with more samples.

    The trainable is imported from where it was defined, as it is there now; a script is only used where what it runs
    is under if __name__ == "__main__". Else the copy is taken that was kept with the experiment. Both, and
    tuner.pkl in general, run code: go on only with an experiment of your own, or of somebody whom you trust.

    Ctrl-C saves and ends, as it does in a script.

    \b
    Examples:
      luthier resume ~/luthier_results/NAME
      luthier resume NAME --errored --num-samples 100
      luthier resume NAME --trainable project.train:train
    """  # noqa: D301 (a backspace tells click to keep the lines)
    from luthier.core.errors import LuthierError
    from luthier.store.card import ExperimentCard
    from luthier.tune.configs import RunConfig, TuneConfig
    from luthier.tune.error import TuneError
    from luthier.tune.registry import register_trainable, trainable_name
    from luthier.tune.source import found_again, named
    from luthier.tune.tuner import Tuner

    if errored and restart_errored:
        raise Refused("--errored and --restart-errored: give one of the two")
    if time_budget is not None and not time_budget > 0:
        raise Refused(f"--time-budget {time_budget:g}: give seconds > 0, or inf for no limit")
    experiment = by_name(experiment)
    try:
        card = ExperimentCard.read(experiment)
        if trainable is not None:
            found, told = named(trainable), trainable
        else:
            found, told = found_again(experiment, card)
            if trainable_name(found) != card.trainable:  # it went by a name that it was registered under
                register_trainable(card.trainable, found)
                found = card.trainable
        if verbose != 0:
            click.echo(f"The trainable is {told}.")
        tuner = Tuner.restore(
            experiment,
            found,
            resume_errored=errored,
            restart_errored=restart_errored,
            tune_config=TuneConfig(
                num_samples=1 if num_samples is None else num_samples,
                time_budget_s=math.inf if time_budget is not None and math.isinf(time_budget) else time_budget,
            ),
            run_config=None if verbose is None else RunConfig(verbose=verbose),
        )
        tuner.fit()
    except (LuthierError, TuneError) as error:
        raise Refused(str(error)) from error
