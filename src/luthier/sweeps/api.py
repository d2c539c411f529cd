"""``luthier.Api()``: sweeps, runs and their history, as tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from luthier.sweeps.address import sweep_address
from luthier.sweeps.client import Client

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator, Mapping

    import pandas as pd

    from luthier.sweeps.client import State

_PAGE = 500
_ENDLESS = {"NaN": float("nan"), "Infinity": float("inf"), "-Infinity": float("-inf")}


class Api:
    """Reads what a server knows.

    Args:
        server: its URL; ``LUTHIER_SERVER`` where None.
        key: the API key; ``LUTHIER_API_KEY``, or what ``luthier login`` has kept, where None.

    >>> Api("http://127.0.0.1:8017")
    Api('http://127.0.0.1:8017')
    """

    def __init__(self, server: str | None = None, key: str | None = None) -> None:
        self.client = Client(server, key)

    def __repr__(self) -> str:
        return f"Api({self.client.server!r})"

    def sweeps(self, project: str | None = None) -> pd.DataFrame:
        """Return the sweeps, a row for each: of one project, or all."""
        import pandas as pd

        return pd.DataFrame(self.client.sweeps(project))

    def sweep(self, sweep: str) -> Sweep:
        """Return one sweep, by its id or the URL of its page.

        Raises:
            ServerError: there is none.
        """
        return Sweep(self.client, sweep_address(sweep)[0])

    def run(self, run: str) -> LoggedRun:
        """Return one run, by its id.

        Raises:
            ServerError: there is none.
        """
        return LoggedRun(self.client, run)


class Sweep:
    """A sweep as the server knows it.

    Attributes:
        id: its id.
        about: all that the server said of it: state, metric, counts, the best run, its agents, its config.
    """

    def __init__(self, client: Client, sweep: str) -> None:
        self._client, self.id = client, sweep
        self.about = client.sweep(sweep)

    def __repr__(self) -> str:
        return f"Sweep({self.id!r}, {self.state})"

    @property
    def state(self) -> str:
        """The state when it was read: ``RUNNING``, ``PAUSED``, ``FINISHED``, ``CANCELED``, ``FAILED``, ``PENDING``."""
        return str(self.about["state"])

    @property
    def best_config(self) -> dict[str, Any] | None:
        """The parameters of the best run; None where there is none yet."""
        best = self.about.get("best_run")
        return None if best is None else nested(self._client.run(best["id"])["config"])

    def refresh(self) -> Sweep:
        """Read it anew; return itself."""
        self.about = self._client.sweep(self.id)
        return self

    def set_state(self, state: State) -> None:
        """Pause it, let it go on, finish or cancel it."""
        self._client.set_sweep(self.id, state)

    def runs(self) -> pd.DataFrame:
        """Return its runs, a row for each: number, state, parameters, the last value of each metric."""
        import pandas as pd

        rows: list[dict[str, Any]] = []
        while True:
            page = self._client.runs(self.id, offset=len(rows), limit=_PAGE)
            rows += map(_numbers, page["rows"])
            if not page["rows"] or len(rows) >= page["total"]:
                return pd.DataFrame(rows)

    def history(self) -> pd.DataFrame:
        """Return all rows that all its runs have logged, with the run's id in ``run``."""
        import pandas as pd

        ids = self.runs().get("id", ())
        return pd.DataFrame([{"run": run, **_numbers(row)} for run in ids for row in self._client.history(str(run))])


class LoggedRun:
    """A run as the server knows it.

    Attributes:
        id: its id.
        about: all that the server said of it: config, summary, state, why it ended.
    """

    def __init__(self, client: Client, run: str) -> None:
        self._client, self.id = client, run
        self.about = client.run(run)

    def __repr__(self) -> str:
        return f"LoggedRun({self.id!r}, {self.about['state']})"

    @property
    def config(self) -> dict[str, Any]:
        """Its parameters."""
        return nested(self.about["config"])

    @property
    def summary(self) -> dict[str, Any]:
        """The last value of each metric."""
        return _numbers(self.about["summary"])

    def history(self) -> pd.DataFrame:
        """Return the rows that it has logged, in all its attempts: ``_attempt``, ``_row``, ``_at``, then metrics."""
        import pandas as pd

        return pd.DataFrame(map(_numbers, self._client.history(self.id)))

    def output(self) -> Iterator[str]:
        """Give the lines that it has printed in its latest attempt."""
        first = 0
        while True:
            page = self._client.output(self.id, first=first)
            for line in page["items"]:
                yield str(line["text"])
            first += len(page["items"])
            if not page["items"] or first >= page["lines"]:
                return

    def files(self) -> pd.DataFrame:
        """Return the files that it has uploaded, a row for each."""
        import pandas as pd

        return pd.DataFrame(self._client.files(self.id))

    def download(self, path: str, target: str | os.PathLike[str]) -> None:
        """Write the file *path* of the run to *target*."""
        self._client.get_file(self.id, path, target)


def nested(flat: Mapping[str, Any]) -> dict[str, Any]:
    """Return parameters that are named by their paths as the dicts that they come from.

    >>> nested({"lr": 0.1, "model/depth": 3, "model/width": 8})
    {'lr': 0.1, 'model': {'depth': 3, 'width': 8}}
    """
    found: dict[str, Any] = {}
    for path, value in flat.items():
        *parents, name = path.split("/")
        inside = found
        for parent in parents:
            within = inside.setdefault(parent, {})
            if not isinstance(within, dict):  # a name with a slash in it, beside a value
                return dict(flat)
            inside = within
        inside[name] = value
    return found


def _numbers(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return *row* with NaN and infinities as numbers: the server spells them out, for JSON has none."""
    return {name: _ENDLESS.get(value, value) if value.__class__ is str else value for name, value in row.items()}
