"""An experiment that lies elsewhere, brought to this machine: its card, its set-up and its log."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from luthier.core.errors import Conflict, CorruptLog, NotAnExperiment
from luthier.store import segments
from luthier.store.card import FILE_NAME as CARD
from luthier.store.codec import sound
from luthier.store.journal import Journal
from luthier.store.lock import holder
from luthier.store.mirror import PARTS

if TYPE_CHECKING:
    from luthier.store.remote import Remote

EVENTS = "events"


def is_there(remote: Remote) -> bool:
    """Return whether *remote* holds an experiment."""
    return remote.exists(CARD)


def fetch(remote: Remote, directory: str, *, locked: bool = False) -> bool:
    """Bring the experiment's *directory* on this machine up to what *remote* holds; return whether its log has grown.

    What the directory has beyond that (the end of a run that could not upload it) stays, and is uploaded by whoever
    goes on with the experiment.  A directory that a driver writes to at the moment is the truth itself: it is left
    alone.

    Args:
        remote: where the experiment lives.
        directory: where it runs on this machine.
        locked: whether the driver is whoever asks.

    Raises:
        NotAnExperiment: there is none, neither here nor there.
        Conflict: both went on, each in its own way; or the directory holds another experiment.
    """
    if not locked and holder(Path(directory) / ".lock") is not None:
        return False
    here, there = os.path.join(directory, CARD), None
    try:
        there = remote.read(CARD)
    except FileNotFoundError:
        if not os.path.exists(here):
            raise NotAnExperiment(
                f"{remote.url} is no experiment of Luthier's: it holds no {CARD}. Give what fit() printed: "
                "<storage_path>/<name>."
            ) from None
        Journal(directory).forget()
        return False
    known = os.path.exists(here)
    if known and _identity(Path(here).read_bytes()) != _identity(there):
        raise Conflict(
            f"{directory} holds another experiment than {remote.url}, of the same name. Move that directory away, or "
            "delete it, and try again."
        )
    ahead = _bring_log(remote, directory)
    for name in PARTS:
        if ahead or not known:
            try:
                text = there if name == CARD else remote.read(name)
            except FileNotFoundError:
                continue
            _write(os.path.join(directory, name), text)
    return ahead


def _bring_log(remote: Remote, directory: str) -> bool:
    """Fetch what the log here lacks; return whether it lacked anything."""
    os.makedirs(os.path.join(directory, EVENTS), exist_ok=True)
    journal = Journal(directory)
    there = {name: size for name, size in remote.sizes(EVENTS).items() if name.endswith(".jsonl") and size}
    here = {f"{EVENTS}/{s.path.name}": s.path for s in segments.listed(Path(directory, EVENTS))}
    if any(name in journal and not journal.has(name, size) for name, size in there.items()) or any(
        name in journal and name not in there for name in here
    ):
        journal.forget()  # somebody else has been at it since
    more_here, lacking = False, []
    for name in sorted(here.keys() | there.keys()):
        if name not in there:
            more_here = more_here or bool(_whole_lines(here[name].read_bytes()))
        elif name in here and journal.has(name, there[name]):
            more_here = more_here or len(_whole_lines(here[name].read_bytes())) > there[name]
        else:
            text = remote.read(name)
            own = _whole_lines(here[name].read_bytes()) if name in here else b""
            if own.startswith(text):
                more_here = more_here or len(own) > len(text)
            elif text.startswith(own):
                lacking.append((name, text))
            else:
                raise _diverged(remote, directory)
    if lacking and more_here:
        raise _diverged(remote, directory)
    for name, text in lacking:
        _write(os.path.join(directory, *name.split("/")), text)
        journal.note([(name, len(text), 0)])
    return bool(lacking)


def _diverged(remote: Remote, directory: str) -> Conflict:
    return Conflict(
        f"the experiment went on in two ways: as {remote.url} tells, and as {directory} on this machine does, which "
        "had not been uploaded to its end when another machine went on. To go on with the one that was uploaded, move "
        f"{directory} away, or delete it; to keep the other, copy that directory elsewhere, delete .origin.json in the "
        "copy, and give that instead of the URL."
    )


def _whole_lines(text: bytes) -> bytes:
    """Return *text* without a last line that was cut short."""
    last = text[text[:-1].rfind(b"\n") + 1 :]
    return text if not last or (last.endswith(b"\n") and sound(last)) else text[: len(text) - len(last)]


def _identity(card: bytes) -> tuple[object, ...]:
    try:
        words = msgspec.json.decode(card, type=dict[str, object])
    except msgspec.DecodeError as error:
        raise CorruptLog(f"{CARD} is damaged: {error}") from error
    return tuple(words.get(name) for name in ("prefix", "seed", "created", "trainable"))


def _write(path: str, text: bytes) -> None:
    temporary = f"{path}.fetched"
    with open(temporary, "wb") as file:
        file.write(text)
    os.replace(temporary, path)
