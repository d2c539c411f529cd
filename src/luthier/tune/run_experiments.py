"""``tune.run_experiments``: several descriptions, one after the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from luthier.core.errors import BadArgumentType
from luthier.tune.error import TuneError
from luthier.tune.experiment import Experiment
from luthier.tune.tune import run

if TYPE_CHECKING:
    from luthier.tune.trial import Trial


def run_experiments(  # noqa: PLR0917 (Ray Tune's)
    experiments: Experiment | Mapping[str, Any] | Sequence[Experiment],
    scheduler: Any = None,
    verbose: int | None = None,
    progress_reporter: Any = None,
    resume: bool | str | None = None,
    resume_config: Any = None,
    reuse_actors: bool = False,
    raise_on_failed_trial: bool = True,
    concurrent: bool = True,  # noqa: ARG001 (Ray Tune's)
    callbacks: Any = None,
) -> list[Trial]:
    """Run experiments, one after the other, and return all of their trials.

    Args:
        experiments: one, a list of them, or a dict of names and descriptions (with ``run`` in each).
        scheduler: of each, or its name.
        verbose: as in ``tune.run``; so are the next.
        progress_reporter: in place of the live table.
        resume: whether experiments of these names go on.
        resume_config: which trials go on.
        reuse_actors: whether a process goes on with the next trial.
        raise_on_failed_trial: whether to raise at the end if a trial failed.
        concurrent: accepted; each experiment has the whole machine.
        callbacks: of each.

    Raises:
        BadArgument: something of this cannot be used.
        TuneError: a trial failed, and *raise_on_failed_trial*.

    >>> from luthier.tune import Experiment
    >>> toy = Experiment("toy", lambda config: {"loss": 1}, num_samples=2)
    >>> [trial.status for trial in run_experiments(toy, verbose=0)]
    ['TERMINATED', 'TERMINATED']
    """
    trials: list[Trial] = []
    for experiment in _listed(experiments):
        found = run(
            experiment,
            scheduler=scheduler,
            verbose=verbose,
            progress_reporter=progress_reporter,
            resume=resume,
            resume_config=resume_config,
            reuse_actors=reuse_actors,
            raise_on_failed_trial=False,
            callbacks=callbacks,
        )
        trials += found.trials
    failed = [trial for trial in trials if trial.status == trial.ERROR]
    if failed and raise_on_failed_trial:
        msg = f"Trials did not complete: {failed}"
        raise TuneError(msg)
    return trials


def _listed(given: object) -> list[Experiment]:
    if isinstance(given, Experiment):
        return [given]
    if isinstance(given, Mapping):
        return [Experiment.from_json(name, spec) for name, spec in given.items()]
    if isinstance(given, Sequence) and all(isinstance(one, Experiment) for one in given):
        return list(given)
    raise BadArgumentType("experiments", given, "an Experiment, a list of them, or a dict of names and descriptions")
