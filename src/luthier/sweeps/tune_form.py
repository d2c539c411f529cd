"""The encoding of ``config.tune.run(...)``: a mapping with ``tune`` in it, to what a sweep is to do.

It is that of the first client that had it, from 2019 to 2021, and what that one never wrote: nested spaces, every
``hp.*``, every search algorithm and scheduler.  Nothing of a file is run: calls are names in tables.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from luthier.core.arguments import more_than, whole
from luthier.core.errors import BadArgument, BadArgumentType
from luthier.core.resources import checked
from luthier.core.space import Space, holds_domains
from luthier.core.space.domain import number
from luthier.search.hp import Hp, HpChoice
from luthier.sweeps.calls import Call, decode
from luthier.sweeps.domains import domain_of
from luthier.sweeps.policy_form import ROOT, goals_in, scheduler_in, search_in
from luthier.sweeps.signatures import meant
from luthier.sweeps.spec import COMMAND, SweepSpec

if TYPE_CHECKING:
    from collections.abc import Mapping

    from luthier.sweeps.policy_form import Search

TOP = (
    "name", "description", "project", "entity", "program", "command", "controller", "settings", "environment",
    "output_metrics", "run_cap", "tune",
)  # fmt: skip
RUN = (
    "run_or_experiment", "name", "metric", "mode", "stop", "time_budget_s", "config", "resources_per_trial",
    "num_samples", "search_alg", "scheduler", "max_failures", "max_concurrent_trials", "seed",
)  # fmt: skip

_SERVER = "the server keeps the results"
_PROGRAM = "the program saves its own checkpoints"
_AGENT = "agents run the program as it is"
# Arguments of Ray Tune's tune.run that a sweep has no use for, and why.  Older files may hold them.
UNUSED: Mapping[str, str] = {
    **dict.fromkeys(("local_dir", "storage_path", "storage_filesystem", "upload_dir", "sync_config"), _SERVER),
    **dict.fromkeys(("sync_to_cloud", "sync_to_driver", "sync_function", "loggers", "log_to_file"), _SERVER),
    **dict.fromkeys(("callbacks", "progress_reporter", "verbose", "trial_name_creator"), _SERVER),
    **dict.fromkeys(("trial_dirname_creator", "chdir_to_trial_dir", "return_trials"), _SERVER),
    **dict.fromkeys(("checkpoint_freq", "checkpoint_at_end", "checkpoint_config", "checkpoint_score_attr"), _PROGRAM),
    **dict.fromkeys(("keep_checkpoints_num", "global_checkpoint_period", "export_formats", "restore"), _PROGRAM),
    **dict.fromkeys(("reuse_actors", "trial_executor", "executor", "queue_trials", "ray_auto_init"), _AGENT),
    **dict.fromkeys(("resume", "resume_config"), "a sweep goes on with luthier sweep --resume"),
    **dict.fromkeys(("with_server", "server_port"), "luthier server is one"),
    **dict.fromkeys(("fail_fast", "raise_on_failed_trial"), "a run that fails ends by itself, others go on"),
}


def read(mapping: Mapping[str, Any], text: str | None = None) -> SweepSpec:
    """Return what the sweep in *mapping*, a file with ``tune`` in it, is to do.

    Args:
        mapping: what a YAML file says.
        text: the file as it is; made from *mapping* where None.

    Raises:
        BadArgument: something of it cannot be used; the text names the key.

    >>> spec = read({"program": "train.py", "tune": {"config": {"lr": {"tune.uniform": [0, 1]}}, "num_samples": 3}})
    >>> spec.program, spec.parameters, spec.num_samples
    ('train.py', {'lr': Float(0.0, 1.0, False, None)}, 3)
    """
    for key in mapping:
        if key not in TOP:
            raise BadArgument(str(key), mapping[key], meant(str(key), TOP), "beside tune there is no such key")
    run = mapping.get("tune")
    if not isinstance(run, dict):
        raise BadArgumentType("tune", run, "a mapping, as luthier.sweeps.config.tune.run() writes it")
    warnings: list[str] = []
    for key, value in run.items():
        if key in UNUSED and value is not None:
            warnings.append(f"tune.{key} has no effect: {UNUSED[key]}")
        elif key not in RUN and key not in UNUSED and key != "_wandb":
            raise BadArgument(f"tune.{key}", value, meant(str(key), RUN), "there is no such argument")
    search = search_in(run.get("search_alg"), "tune.search_alg")
    goals = goals_in(run.get("metric"), run.get("mode"), "tune", warnings)
    if goals and search.goals and goals != search.goals:
        wanted = "metric and mode in one of the two places, or the same in both"
        raise BadArgument("tune.metric", run.get("metric"), wanted, "the search algorithm has others")
    goals = goals or search.goals
    scheduler, judged_by, odd = scheduler_in(run.get("scheduler"), goals, "tune.scheduler")
    if run.get("metric") is not None and judged_by and judged_by[0] not in goals:
        wanted = "metric and mode in one of the two places"
        raise BadArgument("tune.metric", run["metric"], wanted, f"the scheduler says {judged_by[0].metric!r}")
    parameters = _parameters(run.get("config"), search)
    if text is None:
        from luthier.sweeps.yaml_text import dumped

        text = dumped(mapping)
    return SweepSpec(
        text=text,
        name=_text(mapping, "name") or _text(run, "name", "tune."),
        description=_text(mapping, "description"),
        project=_text(mapping, "project"),
        entity=_text(mapping, "entity"),
        program=_text(mapping, "program") or _text(run, "run_or_experiment", "tune."),
        command=_command(mapping.get("command")),
        parameters=parameters,
        goals=goals or judged_by,
        search=search.named,
        scheduler=scheduler,
        stop=_stop(run.get("stop")),
        num_samples=_num_samples(run.get("num_samples"), search, parameters, warnings),
        run_cap=None if mapping.get("run_cap") is None else whole("run_cap", mapping["run_cap"], 1),
        repeats=search.repeats,
        max_failures=0 if run.get("max_failures") is None else whole("tune.max_failures", run["max_failures"], -1),
        max_concurrent=_max_concurrent(run.get("max_concurrent_trials"), search),
        time_budget_s=_time_budget(run.get("time_budget_s")),
        resources=_resources(run.get("resources_per_trial")),
        points=search.points,
        environment={name: str(value) for name, value in _mapping(mapping, "environment").items()},
        seed=_seed(run, search),
        output_metrics=_flag(mapping.get("output_metrics", False)),
        local=_local(mapping.get("controller")),
        settings=_mapping(mapping, "settings"),
        warnings=(*warnings, *search.warnings, *odd),
    )


def _parameters(config: Any, search: Search) -> dict[str, Any]:
    """Return the search space: that of the search algorithm, with the constants of ``config``; else ``config``."""
    if config is not None and not isinstance(config, dict):
        raise BadArgumentType("tune.config", config, "a mapping of names to domains and constants")
    given: Any = decode(config or {}, "tune.config", domain_of)
    if not isinstance(given, dict):
        raise BadArgumentType("tune.config", config, "a mapping: a name for each hyperparameter")
    found: dict[str, Any] = given
    own = search.space
    if own is not None:
        if found and holds_domains(found, "tune.config"):
            raise BadArgument("tune.config", config, "constants only", "the search algorithm has a space of its own")
        if list(own) == [ROOT]:  # the search algorithm alone can say such configs
            search.arguments["space"] = own
        else:
            found |= own
    labels: dict[str, Any] = {}
    for axis in (*Space(found).axes, *Space(search.arguments.get("space")).axes):
        if isinstance(axis.domain, (Hp, HpChoice)) and labels.setdefault(axis.domain.label, axis.domain) != axis.domain:
            wanted = "a label of its own for each hp.*"
            raise BadArgument(f"the label at {axis.name}", axis.domain.label, wanted, "another one has this label")
    return found


def _num_samples(given: Any, search: Search, parameters: dict[str, Any], odd: list[str]) -> int | None:
    if given is None:  # a grid that nobody searches otherwise is walked once
        walked = search.named.name == "random" and Space(parameters).grids
        return 1 if walked else None
    if given == -1:
        return None
    runs = whole("tune.num_samples", given, 1)
    if runs % search.repeats:
        odd.append(f"tune.num_samples={runs} counts repeats too: the Repeater makes {search.repeats} of each config")
    return max(1, runs // search.repeats)


def _max_concurrent(given: Any, search: Search) -> int | None:
    limit = None if given is None else whole("tune.max_concurrent_trials", given, 0) or None
    if limit is not None and search.max_concurrent not in {None, limit}:
        why = f"the search algorithm says {search.max_concurrent}"
        raise BadArgument("tune.max_concurrent_trials", given, "one limit", why)
    return limit or search.max_concurrent


def _stop(given: Any) -> dict[str, float]:
    if given is None:
        return {}
    if not isinstance(given, dict):
        raise BadArgumentType("tune.stop", given, "a mapping of metrics to values, such as {training_iteration: 10}")
    return {str(metric): number(f"tune.stop.{metric}", value) for metric, value in given.items()}


def _time_budget(given: Any) -> float | None:
    return None if given is None else more_than("tune.time_budget_s", given, 0)


def _resources(given: Any) -> dict[str, float]:
    if given is None:
        return {}
    where = "tune.resources_per_trial"
    if not isinstance(given, dict):
        raise BadArgumentType(where, given, "a mapping such as {cpu: 2, gpu: 1}")
    custom = given.get("custom_resources") or {}
    flat = {name: amount for name, amount in given.items() if name != "custom_resources"}
    for name, amount in flat.items():
        if str(name).startswith(("extra_", "memory", "object_store")) and amount:
            raise BadArgument(
                f"{where}.{name}", amount, "cpu, gpu and resources of your own", "agents have no such thing"
            )
    return checked({**{name: amount for name, amount in flat.items() if amount}, **custom}, where)


def _seed(run: Mapping[str, Any], search: Search) -> int | None:
    kept = run.get("_wandb")
    given = run.get("seed")
    if given is None and isinstance(kept, dict):
        given = kept.get("seed")
    if search.seed is not None or given is None:
        return search.seed
    return whole("tune.seed", given, 0)


def _local(controller: Any) -> bool:
    if controller is None:
        return False
    kind = controller.get("type") if isinstance(controller, dict) else None
    if kind not in {"local", "cloud"}:
        raise BadArgument("controller", controller, "{type: local} or {type: cloud}")
    return bool(kind == "local")


def _command(given: Any) -> tuple[str, ...]:
    if given is None:
        return COMMAND
    if not isinstance(given, list) or not given or not all(isinstance(item, (str, int, float)) for item in given):
        raise BadArgumentType("command", given, "a list of texts, such as ['${interpreter}', '${program}', '${args}']")
    return tuple(map(str, given))


def _text(mapping: Mapping[str, Any], key: str, prefix: str = "") -> str | None:
    value = mapping.get(key)
    if value is None or isinstance(value, str):
        return value
    raise BadArgumentType(f"{prefix}{key}", value, "text")


def _mapping(mapping: Mapping[str, Any], key: str) -> dict[str, Any]:
    value = mapping.get(key)
    if value is not None and not isinstance(value, dict):
        raise BadArgumentType(key, value, "a mapping")
    return {name: decode(item, f"{key}.{name}", _refused) for name, item in (value or {}).items()}


def _refused(call: Call, where: str) -> None:
    raise BadArgument(where, call, "a constant; one of this form is written {luthier.dict: ...}")


def _flag(given: Any) -> bool:
    if not isinstance(given, bool):
        raise BadArgumentType("output_metrics", given, "true or false")
    return given
