"""What a driver and a template say to each other; each message is one packet of MessagePack."""

from __future__ import annotations

import msgspec
from msgspec.msgpack import Decoder, Encoder


class _Message(msgspec.Struct, frozen=True, tag_field="is", tag=True):
    pass


# -- to the template -----------------------------------------------------------------------------------------------


class Bear(_Message, frozen=True):
    """Start process *child*; one end of its pair of sockets comes with the packet.

    *environ* adds to the environment of a process that is executed anew (a forked one sets its own).
    """

    child: int
    environ: dict[str, str] = {}


class Signal(_Message, frozen=True):
    """Send *signum* to process *child*, or to all of its group."""

    child: int
    signum: int
    group: bool = False


# -- from the template ---------------------------------------------------------------------------------------------


class Ready(_Message, frozen=True):
    """The trainable is loaded; *obstacle* says why the template cannot be forked, if so."""

    obstacle: str = ""


class Failed(_Message, frozen=True):
    """The trainable cannot be loaded."""

    traceback: str


class Born(_Message, frozen=True):
    """Process *child* runs."""

    child: int
    pid: int


class Stillborn(_Message, frozen=True):
    """Process *child* could not be started; *lost*: through no fault of its own."""

    child: int
    error: str
    lost: bool = False


class Heard(_Message, frozen=True):
    """The signal was sent, or there was nobody to send it to."""


class Died(_Message, frozen=True):
    """Process *child* and its group are gone; *status* as ``os.wait`` tells it, *peak* resident KiB (0: unknown)."""

    child: int
    status: int
    peak: int = 0


PACKET = 1 << 16  # bytes that one packet has at most
_LONGEST = 50_000  # characters of a text, so that it fits

encode = Encoder().encode
decode_order = Decoder(Bear | Signal).decode
decode_answer = Decoder(Ready | Failed | Born | Stillborn | Heard | Died).decode


def shortened(text: str) -> str:
    """Return *text* so that it fits into a packet; of what is too long the end counts."""
    text = text.encode("utf-8", "backslashreplace").decode("utf-8")
    while len(text.encode()) > _LONGEST:
        text = "[...]" + text[len(text) // 10 + 5 :]
    return text
