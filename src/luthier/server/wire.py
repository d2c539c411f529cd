"""What agents and the server say to each other, as ``docs/decisions/0009-sweep-service.md`` tells."""

from __future__ import annotations

from typing import Annotated, Any, TypeAlias

import msgspec

Row: TypeAlias = dict[str, Any]
Count: TypeAlias = Annotated[int, msgspec.Meta(ge=0, lt=2**53)]  # what both databases, and JavaScript, can count to
Code: TypeAlias = Annotated[int, msgspec.Meta(ge=-(2**53), lt=2**53)]


class Holding(msgspec.Struct, frozen=True):
    """A run that the agent is at."""

    run: str
    attempt: Count


class _Said(msgspec.Struct, frozen=True, tag_field="is"):
    run: str
    attempt: Count


class Started(_Said, frozen=True, tag="started"):
    """The process of a run is there."""

    at: float | None = None


class Rows(_Said, frozen=True, tag="rows"):
    """History from row *first* on."""

    first: Count
    rows: list[Row]
    at: list[float] = []


class Summary(_Said, frozen=True, tag="summary"):
    """Values set by hand."""

    values: Row


class Output(_Said, frozen=True, tag="output"):
    """What the program printed, from line *first* on: when, on which stream, and the text."""

    first: Count
    lines: list[tuple[float, str, str]]


class Exited(_Said, frozen=True, tag="exited"):
    """The process of a run has ended."""

    outcome: str
    at: float | None = None
    code: Code | None = None
    error: str = ""


Said: TypeAlias = Started | Rows | Summary | Output | Exited


class Exchange(msgspec.Struct, frozen=True):
    """What an agent sends."""

    holding: list[Holding] = []
    said: list[Said] = []
    wait_s: float = 0.0


class Reply(msgspec.Struct):
    """What it gets back."""

    orders: list[dict[str, Any]]
    accepted: int
    heartbeat_s: float
    exit: str | None = None


class Registration(msgspec.Struct, frozen=True):
    """What an agent says of itself."""

    name: str
    host: str = ""
    pid: Count | None = None
    resources: dict[str, float] = {}
    count: Code | None = None
    lease_s: float | None = None


EXCHANGE = msgspec.json.Decoder(Exchange)
REGISTRATION = msgspec.json.Decoder(Registration)
