"""W&B's sweep configuration, and what Luthier adds to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from luthier.core.errors import BadArgument, BadSweep
from luthier.core.goal import Goal
from luthier.core.space import Space
from luthier.sweeps.checking import Checked
from luthier.sweeps.parameters import Reading
from luthier.sweeps.published import definition
from luthier.sweeps.spec import COMMAND, Named, SweepSpec

if TYPE_CHECKING:
    from collections.abc import Mapping

    from luthier.sweeps.document import Document

_BLIND = frozenset({"random", "grid", "variant_generator", "sobol", "quasirandom"})  # they look at no results
_BAYES = "auto"  # a Gaussian process while results are few, which is what W&B's is; it stays quick when they are many
_ENGINES = {"optuna": "optuna", "ax": "ax"}
_MODES = {"minimize": "min", "maximize": "max", "min": "min", "max": "max"}
_IDLE = {"job": "Launch is not there", "image_uri": "Launch is not there"}


def read(document: Document) -> SweepSpec:
    """Return the sweep that *document* describes.

    Raises:
        BadSweep: it cannot be used; the text names each key, its line and what would do.
    """
    checked = Checked(document)
    given = {key: value for key, value in document.value.items() if value is not None}
    checked.check(given, definition("sweep"))
    if not checked.violations:
        spec = _Form(checked, given).spec()
        if not checked.violations:
            return spec
    raise BadSweep(checked.violations)


class _Form:
    """A file that the schema has passed."""

    def __init__(self, checked: Checked, given: Mapping[str, Any]) -> None:
        self.checked, self.given = checked, given

    def spec(self) -> SweepSpec:
        given, search = self.given, self._search()
        goals = self._goals()
        if not goals and search.name not in _BLIND:
            where = "search" if "search" in given else "method"
            self.checked.wrong((where,), f"{given.get('method', search.name)} learns from results: say in metric which")
        spec = SweepSpec(
            text=self.checked.document.text,
            name=given.get("name"),
            description=given.get("description"),
            project=given.get("project"),
            entity=given.get("entity"),
            program=given.get("program"),
            command=self._command(),
            parameters=self._parameters(grid=search.name == "grid"),
            goals=goals,
            target=given.get("metric", {}).get("target"),
            search=search,
            scheduler=self._scheduler(),
            stop=given.get("stop", {}),
            num_samples=self._num_samples(search),
            run_cap=given.get("run_cap"),
            repeats=given.get("repeats", 1),
            max_failures=given.get("max_failures", 0),
            max_concurrent=given.get("max_concurrent"),
            resources=given.get("resources", {}),
            points=self._points(),
            environment={name: _text(value) for name, value in given.get("environment", {}).items()},
            seed=given.get("seed"),
            output_metrics=given.get("output_metrics", False),
            local=given.get("controller", {}).get("type") == "local",
            settings=given.get("settings", {}),
            warnings=(),
        )
        return _with_warnings(spec, self.checked)

    def _search(self) -> Named:
        given = self.given
        method, search = given.get("method"), given.get("search")
        named = None if search is None else _named(search)
        if method is None and named is not None:
            return named
        if named is not None and method not in {"custom", named.name} and not (method == "bayes"):
            self.checked.wrong(("method",), f"it is {method}, and search says {named.name}: leave one of them out")
        if named is not None:
            return named
        if method == "custom":
            return self._custom()
        return Named(_BAYES if method == "bayes" else str(method))

    def _custom(self) -> Named:
        return Named("random")

    def _goals(self) -> tuple[Goal, ...]:
        given = self.given
        metrics = given.get("metrics") or ([given["metric"]] if "metric" in given else [])
        return tuple(Goal(metric["name"], _MODES[metric.get("goal", "minimize")]) for metric in metrics)

    def _scheduler(self) -> Named | None:
        return None

    def _command(self) -> tuple[str, ...]:
        return tuple(map(str, self.given.get("command", COMMAND)))

    def _parameters(self, *, grid: bool) -> dict[str, Any]:
        return Reading(self.checked, grid=grid).space(self.given["parameters"], ("parameters",))

    def _num_samples(self, search: Named) -> int | None:
        found = self.given.get("num_samples", 1 if search.name == "grid" else None)
        return None if found == -1 else found

    def _points(self) -> tuple[dict[str, Any], ...]:
        return tuple(self.given.get("points", ()))


def _named(found: Any) -> Named:
    if isinstance(found, str):
        return Named(found)
    return Named(found["name"], {key: value for key, value in found.items() if key != "name"})


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _with_warnings(spec: SweepSpec, checked: Checked) -> SweepSpec:
    import msgspec

    return msgspec.structs.replace(spec, warnings=tuple(checked.warnings))
