"""What a sweep is to do, whichever words it was written in."""

from __future__ import annotations

from typing import Any

import msgspec

from luthier.core.goal import Goal

COMMAND = ("${env}", "${interpreter}", "${program}", "${args}")


class Named(msgspec.Struct, frozen=True):
    """A search algorithm or scheduler by its registered name, with the arguments to make it with.

    >>> Named("asha", {"max_t": 9}).name
    'asha'
    """

    name: str
    arguments: dict[str, Any] = {}


class SweepSpec(msgspec.Struct, frozen=True, kw_only=True):
    """A sweep, resolved: what W&B's YAML, ours and the encoding of ``config.tune.run`` all become.

    Attributes:
        text: the YAML as it was given; what is stored and shown.
        name: what people call it.
        description: what it is for, in the user's words.
        project: where it belongs, if that is said.
        entity: whose it is, if that is said (W&B's word).
        program: the script that trains, for ``${program}``.
        command: what an agent runs, with macros (:mod:`luthier.sweeps.command`).
        parameters: the search space in Tune's words: nested dicts of our domains and of constants.
        goals: what is optimised; none where nothing is compared.
        target: a value of the first goal that ends the sweep once it is reached.
        search: the search algorithm, by its name in :mod:`luthier.tune.search`.
        scheduler: the scheduler, by its name in :mod:`luthier.tune.schedulers`; None for none.
        stop: ``{metric: value}``: a run ends once one of them is reached, as in ``RunConfig(stop=...)``.
        num_samples: how many samples to draw (a grid counts as one sample); None for no end.
        run_cap: how many runs there are at most; None for no limit.
        repeats: how many runs each config gets; the searcher hears their mean.
        max_failures: how often a run that fails is tried again; -1 for ever.
        max_concurrent: how many runs at once, on all agents together; None for as many as there is room for.
        time_budget_s: seconds from the start of the first run after which the sweep and its runs end; None for no end.
        resources: what a run asks of its agent beside one slot: ``{"cpu": 2, "gpu": 0.5}``.
        points: configs to try first.
        environment: variables for the program.
        seed: where chance starts; drawn where None.
        output_metrics: whether lines ``metric=value`` that the program prints count as reports.
        local: whether it asked for a local controller.
        settings: what else it said that is for agents.
        warnings: what is odd but was understood; shown to who made it.
    """

    text: str
    name: str | None = None
    description: str | None = None
    project: str | None = None
    entity: str | None = None
    program: str | None = None
    command: tuple[str, ...] = COMMAND
    parameters: dict[str, Any] = {}
    goals: tuple[Goal, ...] = ()
    target: float | None = None
    search: Named = Named("random")
    scheduler: Named | None = None
    stop: dict[str, float] = {}
    num_samples: int | None = None
    run_cap: int | None = None
    repeats: int = 1
    max_failures: int = 0
    max_concurrent: int | None = None
    time_budget_s: float | None = None
    resources: dict[str, float] = {}
    points: tuple[dict[str, Any], ...] = ()
    environment: dict[str, str] = {}
    seed: int | None = None
    output_metrics: bool = False
    local: bool = False
    settings: dict[str, Any] = {}
    warnings: tuple[str, ...] = ()
