"""W&B's sweep configuration, and what Luthier adds to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from luthier.core.errors import BadArgument, BadSweep
from luthier.core.goal import Goal
from luthier.core.space import Space
from luthier.sweeps.checking import Checked, among
from luthier.sweeps.command import flaws
from luthier.sweeps.parameters import Reading
from luthier.sweeps.policy_form import Search
from luthier.sweeps.published import definition
from luthier.sweeps.spec import COMMAND, Named, SweepSpec
from luthier.sweeps.yaml_policies import scheduler_of, search_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from luthier.core.space import Path
    from luthier.sweeps.document import Document

BAYES = "auto"  # a Gaussian process while results are few, as W&B's bayes is; quick also when they are many
BLIND = frozenset({"random", "grid", "variant_generator", "sobol", "quasirandom"})  # they look at no results

_MODES = {"minimize": "min", "maximize": "max", "min": "min", "max": "max"}
_EARLY = ("min_iter", "max_iter", "s", "eta", "strict")
_IDLE = {"job": "agents run commands", "image_uri": "agents run commands"}


def read(document: Document) -> SweepSpec:
    r"""Return the sweep that *document*, a mapping, describes.

    Raises:
        BadSweep: it cannot be used; the text names each key, its line and what would do.

    >>> from luthier.sweeps.document import opened
    >>> spec = read(opened("method: bayes\nmetric: {name: loss}\nparameters: {lr: {min: 0.0, max: 1.0}}"))
    >>> spec.search.name, spec.goals[0].mode, spec.parameters["lr"]
    ('auto', 'min', Float(0.0, 1.0, False, None))
    """
    checked = Checked(document)
    given = {key: value for key, value in document.value.items() if value is not None}
    checked.check(given, definition("sweep"))
    if not checked.violations:
        spec = _Form(checked, given).spec()
        if not checked.violations:
            return msgspec.structs.replace(spec, warnings=tuple(checked.warnings))
    raise BadSweep(checked.violations)


class _Form:
    """A file that the schema has passed."""

    def __init__(self, checked: Checked, given: Mapping[str, Any]) -> None:
        self.checked, self.given, self.said = checked, given, Search()
        self.engine = isinstance(given.get("scheduler"), dict) and "engine" in given["scheduler"]

    def spec(self) -> SweepSpec:
        """Return what the file describes; what is wrong with it has been noted."""
        given, search, metrics = self.given, self._search(), self._metrics()
        goals = self._goals(metrics, search)
        parameters = self._parameters(grid=search.name == "grid")
        for key in _IDLE.keys() & given.keys():
            self.checked.warn((key,), f"it has no effect: {_IDLE[key]}")
        return SweepSpec(
            text=self.checked.document.text,
            name=given.get("name"),
            description=given.get("description"),
            project=given.get("project"),
            entity=given.get("entity"),
            program=given.get("program"),
            command=self._command(),
            parameters=parameters,
            goals=goals,
            target=metrics[0].get("target") if metrics else None,
            search=search,
            scheduler=self._scheduler(metrics, goals),
            stop=given.get("stop", {}),
            num_samples=self._num_samples(search),
            run_cap=given.get("run_cap"),
            repeats=given.get("repeats", 1),
            max_failures=given.get("max_failures", 0),
            max_concurrent=given.get("max_concurrent", self.said.max_concurrent),
            resources=given.get("resources", {}),
            points=self._points(parameters),
            environment={name: _text(value) for name, value in given.get("environment", {}).items()},
            seed=given.get("seed", self.said.seed),
            output_metrics=given.get("output_metrics", False),
            local=given.get("controller", {}).get("type") == "local",
            settings=given.get("settings", {}),
        )

    # -- who searches, who stops ---------------------------------------------------------------------------------------
    def _search(self) -> Named:
        given, method = self.given, self.given.get("method")
        if "search" in given:
            search, self.said = search_of(self.checked, given["search"])
            if method not in {None, "custom", search.name} and (method, search.name) != ("bayes", BAYES):
                self.checked.wrong(("method",), f"it is {method}, and search is {search.name}: leave one of them out")
            return search
        if method == "custom":
            return self._custom()
        if self.engine and given["scheduler"]["engine"] != "wandb":
            self.checked.warn(("scheduler", "engine"), f"it has no effect: method is {method}, not custom")
        return Named(BAYES) if method == "bayes" else Named(str(method))

    def _custom(self) -> Named:
        """Return who searches where W&B leaves it to a program of the user's."""
        found = self.given["scheduler"] if self.engine else {}
        engine = found.get("engine")
        if engine in {"optuna", "ax"}:
            for key in ("source", "optimizer", "search_space"):
                if key in found:
                    text = f"it has no effect: {engine} searches what parameters say, and runs on the server"
                    self.checked.warn(("scheduler", key), text)
            return Named(engine)
        if self.given.get("controller", {}).get("type") != "local":  # else a client proposes
            text = "custom says not who searches: give search, such as optuna, or the name of a search algorithm here"
            self.checked.wrong(("method",), text)
        return Named("random")

    def _scheduler(self, metrics: Sequence[Mapping[str, Any]], goals: tuple[Goal, ...]) -> Named | None:
        given, early = self.given, self.given.get("early_terminate")
        if "scheduler" in given and not self.engine:
            if early is not None:
                self.checked.wrong(("early_terminate",), "there is scheduler, too: leave one of them out")
            return scheduler_of(self.checked, given["scheduler"], goals)
        if early is None:
            return None
        if len(metrics) != 1:
            self.checked.wrong(("early_terminate",), "it compares runs by one metric: say in metric which")
        if "max_iter" not in early and "s" in early:
            self.checked.warn(("early_terminate", "s"), "it has no effect without max_iter")
        elif "max_iter" in early and "min_iter" in early:
            self.checked.warn(("early_terminate", "min_iter"), "it has no effect beside max_iter")
        elif "max_iter" in early and early["max_iter"] < early.get("eta", 3):
            self.checked.wrong(("early_terminate", "max_iter"), "no band lies below it: give more, or a lower eta")
        return Named("hyperband_stopping", {key: early[key] for key in _EARLY if key in early})

    # -- what is compared ----------------------------------------------------------------------------------------------
    def _metrics(self) -> list[Mapping[str, Any]]:
        given = self.given
        if "metric" in given and "metrics" in given:
            self.checked.wrong(("metrics",), "there is metric, too: leave one of them out")
        found: list[Mapping[str, Any]] = given.get("metrics") or [m for m in [given.get("metric")] if m is not None]
        for place, metric in enumerate(found):
            path: Path = ("metrics", place) if "metrics" in given else ("metric",)
            for key, default in (("impute", "worst"), ("impute_while_running", "false")):
                if _text(metric.get(key, default)) != default:
                    text = "it has no effect: the search algorithm hears that a run failed, and which are under way"
                    self.checked.warn((*path, key), text)
            if place and "target" in metric:
                self.checked.warn((*path, "target"), "it has no effect: only the first metric's ends a sweep")
            if metric["name"] in [other["name"] for other in found[:place]]:
                self.checked.wrong((*path, "name"), f"{metric['name']} is there twice")
        return found

    def _goals(self, metrics: Sequence[Mapping[str, Any]], search: Named) -> tuple[Goal, ...]:
        if not metrics and search.name not in BLIND:
            where, name = ("search", search.name) if "search" in self.given else ("method", self.given.get("method"))
            self.checked.wrong((where,), f"{name} learns from results: say in metric from which")
        return tuple(Goal(metric["name"], _MODES[metric.get("goal", "minimize")]) for metric in metrics)

    # -- what is tried -------------------------------------------------------------------------------------------------
    def _parameters(self, *, grid: bool) -> dict[str, Any]:
        before = len(self.checked.violations)
        found = Reading(self.checked, grid=grid).space(self.given["parameters"], ("parameters",))
        if len(self.checked.violations) == before:
            try:
                Space(found)
            except BadArgument as error:
                self.checked.wrong(("parameters",), str(error))
        return found

    def _num_samples(self, search: Named) -> int | None:
        """Return how many samples there are: a grid ends by itself, and each point goes before it."""
        most = 1 + len(self.given.get("points", ())) if search.name == "grid" else None
        found = self.given.get("num_samples", most)
        return None if found == -1 else found

    def _points(self, parameters: Mapping[str, Any]) -> tuple[dict[str, Any], ...]:
        points: list[dict[str, Any]] = self.given.get("points", [])
        for place, point in enumerate(points):
            self._known(point, parameters, ("points", place))
        return tuple(points)

    def _known(self, point: Mapping[str, Any], parameters: Mapping[str, Any], path: Path) -> None:
        for name, value in point.items():
            if name not in parameters:
                self.checked.wrong((*path, name), among(name, parameters, "such parameter"))
            elif isinstance(parameters[name], dict) and isinstance(value, dict):
                self._known(value, parameters[name], (*path, name))

    def _command(self) -> tuple[str, ...]:
        items = [str(item) for item in self.given.get("command", COMMAND)]
        for place, flaw in flaws(items):
            self.checked.wrong(("command", place), f"{items[place]!r} cannot be used: give {flaw}")
        return tuple(items)


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
