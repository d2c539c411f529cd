"""What REST answers with: one model for each kind of answer.

Times are unix seconds (UTC).  NaN and infinities, which JSON does not know, are the texts ``NaN``, ``Infinity`` and
``-Infinity`` where a value may be anything, and null where it must be a number.
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel


class Project(BaseModel):
    """A project, and how much is in it."""

    name: str
    description: str
    created_at: float
    updated_at: float | None
    sweeps: int
    running: int
    runs: int


class RunLink(BaseModel):
    """A run by id and name."""

    id: str
    name: str
    number: int
    state: str


class Alone(RunLink):
    """A run without a sweep."""

    created_at: float


class SweepLine(BaseModel):
    """A sweep as a line of a list: state, progress, the best run; ``counts`` says how many runs are in which state."""

    id: str
    project: str
    kind: str
    name: str
    state: str
    wanted: str
    reason: str
    metric: str | None
    mode: str | None
    created_at: float
    updated_at: float
    ended_at: float | None
    length: int
    expected: int | None
    counts: dict[str, int]
    runs: int
    best_value: float | None
    best_run: RunLink | None


class Agent(BaseModel):
    """An agent, and what it is doing."""

    id: str
    name: str
    host: str
    pid: int | None
    state: str
    resources: dict[str, Any]
    launched: int
    count: int | None
    joined_at: float
    heartbeat_at: float
    ended_at: float | None
    runs: list[RunLink]


class Sweep(SweepLine):
    """A sweep with its description, its config as it was given, its agents."""

    description: str
    config: str
    seed: int
    agents: list[Agent]
    best_config: dict[str, Any] | None


class Column(BaseModel):
    """A column of a table of runs: ``name`` is what sort, filter and columns call it."""

    name: str
    label: str
    kind: str
    numeric: bool


class Group(BaseModel):
    """Runs that share a value of one column."""

    value: Any
    runs: int
    counts: dict[str, int]
    best: float | None
    mean: float | None


class RunTable(BaseModel):
    """Rows of a table of runs: ``total`` rows pass the filter, of ``there``; each row is a dict by column name."""

    there: int
    total: int
    offset: int
    sort: str
    descending: bool
    columns: list[Column]
    rows: list[dict[str, Any]]
    group: str | None
    groups: list[Group]


class Run(BaseModel):
    """A run: what it tried, what came of it, why it ended."""

    id: str
    sweep: str | None
    project: str
    number: int
    name: str
    state: str
    config: dict[str, Any]
    summary: dict[str, Any]
    metric: str | None
    value: float | None
    attempt: int
    agent: str | None
    host: str | None
    created_at: float
    started_at: float | None
    heartbeat_at: float | None
    ended_at: float | None
    rows: int
    lines: int
    exit_code: int | None
    reason: str
    why: dict[str, Any]
    error: str
    group: str
    tags: list[Any]
    notes: str
    about: dict[str, Any]
    metrics: list[str]
    previous: RunLink | None
    next: RunLink | None


class Series(BaseModel):
    """A metric of a run by ``x``; ``downsampled``: the first, last, least and greatest of each stretch of rows."""

    metric: str
    x: list[float | None]
    y: list[float | None]
    downsampled: bool
    sampled: bool


class History(BaseModel):
    """Curves of a run: of ``rows`` rows, in all its attempts."""

    run: str
    rows: int
    x: str
    series: list[Series]


class HistoryRows(BaseModel):
    """Rows of a run's history as they were logged, with ``_attempt``, ``_row`` and ``_at``."""

    run: str
    rows: int
    offset: int
    items: list[dict[str, Any]]


class OutputLine(BaseModel):
    """A line that a run printed; ``stream`` is ``out`` or ``err``."""

    attempt: int
    line: int
    at: float
    stream: str
    text: str


class Output(BaseModel):
    """Lines of a run's output: ``lines`` there are in its ``attempt``."""

    run: str
    attempt: int
    attempts: int
    lines: int
    first: int
    items: list[OutputLine]


class File(BaseModel):
    """A file of a run."""

    path: str
    size: int
    sha256: str
    at: float


class Difference(BaseModel):
    """A row of a comparison: one value for each run; ``differs`` where they are not all the same."""

    name: str
    kind: str
    values: list[Any]
    differs: bool


class Comparison(BaseModel):
    """Chosen runs beside each other."""

    runs: list[Run]
    rows: list[Difference]
    metrics: list[str]


class Problem(BaseModel):
    """What is wrong with a request."""

    detail: str
