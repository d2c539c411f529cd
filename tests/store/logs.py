"""Small logs for the tests of the store."""

from __future__ import annotations

from luthier.core import events as ev
from luthier.store.jsonl import JsonlStore
from luthier.testing.stores import T0


def report(i):
    return ev.Reported(T0, 1, i, {"loss": 1 / (i + 1), "epoch": i})


def grow(directory, n, after=0, **options):
    """Append *n* batches of one report each, and close."""
    with JsonlStore(directory, **options) as store:
        for i in range(after, after + n):
            store.append([report(i)], after=i)


def seqs(directory, after=0):
    store = JsonlStore(directory, readonly=True)
    return [event.seq for record in store.read(after) for event in record.events if isinstance(event, ev.Reported)]


def names(directory):
    return sorted(path.name for path in (directory / "events").iterdir())


def segment(directory, index=0):
    return sorted((directory / "events").glob("*.jsonl"))[index]
