"""A log that was cut, changed, mixed up: what is left is read and what is lost is told, or it is refused by name."""

from __future__ import annotations

import os
import random
import shutil
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from luthier import tune
from luthier.core import events as ev
from luthier.core.errors import CorruptLog, LuthierError
from luthier.store.head import read_head
from luthier.store.jsonl import JsonlStore
from luthier.tune.schedulers import ASHAScheduler
from tests.store.logs import names, segment

if TYPE_CHECKING:
    from luthier.store.base import Record

MASKS = (0x01, 0x80, 0xFF)
STEPS = 6


def saving(config):
    """Report and save each step; go on from the last one."""
    first = 1
    if (checkpoint := tune.get_checkpoint()) is not None:
        first = checkpoint.to_dict()["step"] + 1
    for step in range(first, STEPS + 1):
        tune.report({"step": step, "score": config["x"] * step}, checkpoint=tune.Checkpoint.from_dict({"step": step}))


def run(storage):
    tune.Tuner(
        saving,
        param_space={"x": tune.uniform(0, 1)},
        tune_config=tune.TuneConfig(
            metric="score",
            mode="max",
            num_samples=10,
            seed=3,
            scheduler=ASHAScheduler(max_t=STEPS, reduction_factor=2),
        ),
        run_config=tune.RunConfig(
            name="e",
            storage_path=storage,
            executor="inline",
            verbose=0,
            checkpoint_config=tune.CheckpointConfig(num_to_keep=1),
        ),
    ).fit()
    return storage / "e"


@pytest.fixture(scope="module")
def real(tmp_path_factory):
    """An experiment that ended in good order: its log is the one to be damaged, in a copy."""
    return run(tmp_path_factory.mktemp("real"))


@pytest.fixture
def copied(real, tmp_path):
    """The log alone, in one segment."""
    (tmp_path / "events").mkdir()
    shutil.copy(segment(real), tmp_path / "events")
    shutil.copy(real / ".head", tmp_path)
    return tmp_path


@pytest.fixture
def split(real, tmp_path):
    """The log alone, in five segments or more."""
    times = (record.at for record in whole(real))
    with JsonlStore(tmp_path, segment_bytes=segment(real).stat().st_size // 5, clock=times.__next__) as store:
        for record in whole(real):
            store.append(record.events, after=record.first)
    assert len(names(tmp_path)) >= 5
    return tmp_path


@cache
def whole(directory: Path) -> list[Record]:
    return list(JsonlStore(directory, readonly=True).read())


def look(directory: Path) -> tuple[list[Record], tuple[str, ...]]:
    """Return what a writer finds in the log, and what it is told to be lost."""
    with JsonlStore(directory, fsync="never") as store:
        return list(store.read()), store.losses


def survives(directory: Path, records: list[Record]) -> list[Record] | None:
    """Return what is read of a damaged log, None where it is refused; fail where anything is passed over in silence."""
    try:
        found, losses = look(directory)
    except LuthierError as error:
        check_refusal(error)
        return None
    assert found == records[: len(found)]
    if len(found) < len(records):
        assert losses
        assert all("events-" in loss for loss in losses)
        left = found[-1].end if found else 0
        assert f"holds {left}: the last {records[-1].end - left} are lost" in losses[-1]
    return found


def check_refusal(error: LuthierError) -> None:
    assert "events-" in str(error)
    assert "line " in str(error) or "is missing" in str(error)
    if isinstance(error, CorruptLog):
        assert "from a copy" in str(error)


def glance(directory: Path, records: list[Record]) -> list[Record] | None:
    """Return what a reader finds in the log, as :func:`survives` but some times quicker."""
    store = JsonlStore(directory, readonly=True)
    try:
        found = list(store.read())
    except LuthierError as error:
        check_refusal(error)
        return None
    assert found == records[: len(found)]
    if segment(directory).read_bytes()[-1:] != b"\n":
        assert store.torn
    return found


def test_the_log_that_is_damaged_here_is_a_real_one(real):
    records = whole(real)
    kinds = {type(event) for record in records for event in record.events}
    assert {ev.Reported, ev.Halted, ev.Forgotten, ev.Exited, ev.Ended} <= kinds
    assert segment(real).stat().st_size > 8192
    assert read_head(real).end == records[-1].end
    with JsonlStore(real) as store:
        assert store.losses == ()


def test_cut_at_every_byte_of_its_last_4_kb(copied, real):
    path, head = segment(copied), (copied / ".head").read_bytes()
    text, records = path.read_bytes(), whole(real)
    for size in range(len(text), len(text) - 4096, -1):
        os.truncate(path, size)
        found = glance(copied, records)
        if size % 50 == 0:
            assert survives(copied, records) == found
            (copied / ".head").write_bytes(head)
        assert found is not None
        assert len(found) == text.count(b"\n", 0, size)
    assert text.count(b"\n", 0, len(text) - 4096) < len(records) - 5


def test_a_byte_changed_anywhere_in_its_last_2_kb_and_here_and_there_before(copied, real):
    path, head = segment(copied), (copied / ".head").read_bytes()
    text, records = path.read_bytes(), whole(real)
    last = text.rindex(b"\n", 0, -1) + 1
    chance = random.Random(5)
    earlier = [(chance.randrange(len(text) - 2048), chance.randrange(1, 256)) for _ in range(500)]
    dropped = refused = 0
    with path.open("r+b", buffering=0) as file:
        for place, mask in [*((i, m) for i in range(len(text) - 2048, len(text)) for m in MASKS), *earlier]:
            os.pwrite(file.fileno(), bytes([text[place] ^ mask]), place)
            found = glance(copied, records)
            if place % 50 == 0:
                assert survives(copied, records) == found
                (copied / ".head").write_bytes(head)
            os.pwrite(file.fileno(), text[place : place + 1], place)
            if place >= last:
                assert found == records[:-1]
            elif place == last - 1:  # two records have become one line
                assert found == records[:-2]
            else:
                assert found is None
            dropped, refused = dropped + (found is not None), refused + (found is None)
    assert dropped > 100
    assert refused > 3000
    assert survives(copied, records) == records


def test_every_segment_is_missed(split, real):
    records = whole(real)
    for path in sorted((split / "events").iterdir()):
        aside = path.rename(path.with_suffix(".aside"))
        assert survives(split, records) is None
        aside.rename(path)
    for path in sorted((split / "events").iterdir(), reverse=True)[:-1]:  # the last ones, more and more of them
        path.unlink()
        assert survives(split, records) is None
    assert survives(split, records) is None


def test_going_on_without_the_last_segment_takes_one_deliberate_step(split, real):
    records = whole(real)
    last = segment(split, -1)
    last.unlink()
    with pytest.raises(CorruptLog, match=rf"{last.name} is missing.*to go on from event (\d+), delete .*\.head"):
        look(split)
    (split / ".head").unlink()
    found, losses = look(split)
    assert found == records[: len(found)]
    assert losses == ()


def test_segments_renamed_copied_and_swapped(split, real):
    records = whole(real)
    paths = sorted((split / "events").iterdir())
    for path in paths:
        other = path.with_name(f"events-{int(path.stem[-12:]) + 1:012d}.jsonl")
        path.rename(other)
        assert survives(split, records) is None
        other.rename(path)
        shutil.copy(path, other)
        assert survives(split, records) is None
        other.unlink()
        past = path.with_name(f"events-{records[-1].end:012d}.jsonl")
        shutil.copy(path, past)
        assert survives(split, records) is None
        past.unlink()
    for one, other in pairwise(paths):
        texts = one.read_bytes(), other.read_bytes()
        one.write_bytes(texts[1]), other.write_bytes(texts[0])
        assert survives(split, records) is None
        one.write_bytes(texts[0]), other.write_bytes(texts[1])
    assert survives(split, records) == records


def test_lines_left_out_doubled_and_exchanged(copied, real):
    path, records = segment(copied), whole(real)
    text = path.read_bytes().splitlines(keepends=True)
    chance = random.Random(9)
    for _ in range(100):
        i = chance.randrange(len(text) - 1)
        for wrong in (
            text[:i] + text[i + 1 :],
            text[: i + 1] + text[i:],
            [*text[:i], text[i + 1], text[i], *text[i + 2 :]],
        ):
            path.write_bytes(b"".join(wrong))
            assert survives(copied, records) is None
    path.write_bytes(b"".join([*text, text[-1]]))
    assert survives(copied, records) is None


@pytest.mark.parametrize(
    "garbage",
    [
        b"\0" * 5000,
        b"\0" * 100 + b"\n",
        b"\n\n\n",
        b"x\ny\n" * 50,
        os.urandom(300),
        b'{"v":2,"first":9',
        b"{}\n",
        b"\xff\n",
    ],
    ids=["zeros", "zeros and an end", "empty lines", "lines", "random", "half a record", "an object", "no text"],
)
def test_garbage_at_the_end(copied, real, garbage):
    records = whole(real)
    with segment(copied).open("ab") as file:
        file.write(garbage)
    found = survives(copied, records)
    if garbage == b"{}\n":  # somebody has written it, and who knows what it means
        assert found is None
        return
    assert found == records
    (loss,) = look(copied)[1]
    assert str(segment(copied)) in loss
    assert f"the last {len(garbage)} bytes" in loss
    with JsonlStore(copied) as store:  # and the log goes on behind it
        store.append([ev.Stalled()], after=records[-1].end)
    assert look(copied) == ([*records, whole_tail(copied)], ())


def whole_tail(directory):
    return list(JsonlStore(directory, readonly=True).read())[-1]


def test_zeros_where_the_last_records_were(copied, real):
    """As a power cut leaves them: the file has its length, and not its end."""
    path, records = segment(copied), whole(real)
    text, head = path.read_bytes(), (copied / ".head").read_bytes()
    for count in (1, 700, 4096):
        path.write_bytes(text[:-count] + b"\0" * count)
        (copied / ".head").write_bytes(head)
        found = survives(copied, records)
        assert found is not None
        assert len(found) == text[:-count].count(b"\n")


def test_a_loss_is_told_once(copied, real):
    os.truncate(segment(copied), segment(copied).stat().st_size - 3)
    assert len(look(copied)[1]) == 2  # what was cut short, and that it had been whole
    (again,) = look(copied)[1]
    assert "cut short" in again


def test_a_damaged_segment_in_the_middle_is_named_with_its_line(split, real):
    path = segment(split, 1)
    text = bytearray(path.read_bytes())
    text[-30] ^= 4
    path.write_bytes(bytes(text))
    line = bytes(text).count(b"\n")
    with pytest.raises(
        CorruptLog, match=rf"{path.name}, line {line}: damaged.*checksum.*keep its first {line - 1} lines"
    ):
        list(JsonlStore(split, readonly=True).read())


# -- and the experiment goes on --------------------------------------------------------------------------------------


def steps_of(directory: Path) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for record in JsonlStore(directory, readonly=True).read():
        for event in record.events:
            if isinstance(event, ev.Proposed):
                found[event.trial] = []
            elif isinstance(event, ev.Reported):
                found[event.trial].append(event.metrics["step"])
    return found


@pytest.mark.parametrize("dropped", [1, 2, 3, 4, 5, 7, 11, 16, 22, 29])
@pytest.mark.parametrize("how", ["cut", "half", "changed"])
def test_an_experiment_goes_on_after_its_log_lost_its_end(real, tmp_path, caplog, dropped, how):
    directory = tmp_path / "e"
    shutil.copytree(real, directory)
    lines = segment(directory).read_bytes().splitlines(keepends=True)
    left = b"".join(lines[:-dropped])
    if how == "half":
        left += lines[-dropped][:40]
    elif how == "changed":
        left += lines[-dropped].replace(b'"at":1', b'"at":2')
    segment(directory).write_bytes(left)
    grid = tune.Tuner.restore(directory, saving).fit()
    assert "are lost" in caplog.text
    assert (len(grid), grid.num_errors, grid.num_terminated) == (10, 0, 10)
    for result, steps in zip(grid, steps_of(directory).values(), strict=True):
        assert sorted(set(steps)) == steps  # none doubled
        assert steps[-1] == result.metrics["step"]
        rows = Path(result.path, "result.json").read_text().splitlines()
        assert len(rows) == len(steps)
        assert result.checkpoint.to_dict()["step"] >= steps[-1]  # what was reported after that is gone


def test_the_checkpoint_that_a_lost_record_had_deleted_is_replaced_by_the_one_after_it(real, tmp_path, caplog):
    directory = tmp_path / "e"
    shutil.copytree(real, directory)
    lines = segment(directory).read_bytes().splitlines(keepends=True)
    last = max(i for i, line in enumerate(lines) if b'"is":"Forgotten"' in line and b'"is":"Halted"' not in line)
    segment(directory).write_bytes(b"".join(lines[:last]))
    grid = tune.Tuner.restore(directory, saving).fit()
    assert grid.num_errors == 0
    assert "is gone; its trial goes on from" in caplog.text
    for steps in steps_of(directory).values():
        assert sorted(set(steps)) == steps
