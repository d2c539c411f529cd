"""What a trial's process and its driver say to each other, as bytes.

A frame is its length (four bytes, little endian) and so many bytes of MessagePack.  To the trial go
:class:`Assignment`; from it come ``Reported``, ``Exited`` and :class:`Unloadable`.  A verdict is one byte without a
length: only a trial that has reported waits for one, so nothing else can stand in its place.

Values that MessagePack cannot say (tuples, arrays, any object) travel as pickles inside an extension.  A pickle runs
code when it is loaded; both ends are processes of one user, started by one another over a private pair of sockets that
nobody else can reach, and each already runs the other's code.  These frames must never be read from a network.
"""

from __future__ import annotations

import pickle
from typing import Any

import msgspec
from msgspec.msgpack import Decoder, Encoder, Ext

from luthier.core.errors import BadArgument, NotStorable
from luthier.core.events import Exited, Reported
from luthier.core.native import native, native_dict
from luthier.core.terms import Verdict
from luthier.store.values import Opaque
from luthier.worker.assignment import Assignment

HEAD = 4  # bytes that say how long a frame is
MOST = 64 << 20  # bytes of one report
LONGEST = MOST + (1 << 20)  # bytes of any frame from a trial
_LONGEST_ERROR = 1 << 20  # characters
_PICKLE, _PICKLED_WHOLE = 1, 2  # codes of the extensions
_WHOLE = "\0"  # the one key of a dict that travels as a pickle altogether: not all of its own keys are strings


class Unloadable(msgspec.Struct, frozen=True, tag_field="is", tag=True):
    """The trainable cannot be loaded in a fresh process; *traceback* says why."""

    traceback: str


VERDICTS = {b"c": Verdict.CONTINUE, b"h": Verdict.HALT, b"s": Verdict.SAVE_AND_HALT}
VERDICT_BYTES = {verdict: byte for byte, verdict in VERDICTS.items()}


class _Whole(msgspec.Struct, frozen=True):
    values: dict[Any, Any]


def _unpickled(code: int, payload: memoryview) -> Any:
    try:
        value = pickle.loads(payload)
        return _Whole(value) if code == _PICKLED_WHOLE else value
    except Exception as error:  # noqa: BLE001 (a class that only the other side has must not cost the whole report)
        return Opaque("object", bytes(payload), "", f"{type(error).__name__}: {error}")


_encoder = Encoder()
_decode = Decoder(Reported | Exited | Unloadable, ext_hook=_unpickled).decode
_decode_assignment = Decoder(Assignment, ext_hook=_unpickled).decode
_decode_sealed = Decoder(Reported | Exited | Unloadable).decode
_decode_sealed_assignment = Decoder(Assignment).decode


def encode_report(report: Reported) -> bytearray:
    """Return *report* as a frame.

    Raises:
        BadArgument: it is longer than a report may be; the text names the biggest metric.
        NotStorable: a metric can neither be said in MessagePack nor be pickled.
    """
    frame = bytearray(HEAD)
    if native_dict(report.metrics):
        try:
            _encoder.encode_into(report, frame, HEAD)
        except (UnicodeEncodeError, OverflowError, TypeError, ValueError, RecursionError):
            frame = _encode_slowly(report)
    else:
        frame = _encode_slowly(report)
    size = len(frame) - HEAD
    if size > MOST:
        _refuse(report, size)
    frame[:HEAD] = size.to_bytes(HEAD, "little")
    return frame


def encode_exit(exited: Exited) -> bytearray:
    """Return *exited* as a frame; an endless error text loses its middle."""
    text = exited.error
    if len(text) > _LONGEST_ERROR:
        half = _LONGEST_ERROR // 2
        text = f"{text[:half]}\n[... {len(text) - 2 * half} characters left out ...]\n{text[-half:]}"
    exited = msgspec.structs.replace(exited, error=_plain(text))
    return frame_of(exited)


def decode(payload: bytes) -> Reported | Exited | Unloadable:
    """Return what a trial said, from a frame's payload.

    Raises:
        msgspec.DecodeError: it is none of these.
    """
    message: Reported | Exited | Unloadable = _decode(payload)
    if message.__class__ is Reported and _WHOLE in message.metrics:
        return msgspec.structs.replace(message, metrics=_unwrapped(message.metrics))
    return message


def decode_sealed(payload: bytes) -> Reported | Exited | Unloadable:
    """As :func:`decode`, with what travels as a pickle left so: for who passes it on by :func:`frame_of`."""
    message: Reported | Exited | Unloadable = _decode_sealed(payload)
    return message


def decode_assignment(payload: bytes) -> Assignment:
    """Return the assignment of a frame's payload."""
    assignment = _decode_assignment(payload)
    if _WHOLE in assignment.config:
        return msgspec.structs.replace(assignment, config=_unwrapped(assignment.config))
    return assignment


def decode_sealed_assignment(payload: bytes) -> Assignment:
    """As :func:`decode_assignment`, with what travels as a pickle left so: it can be encoded again as it is."""
    assignment: Assignment = _decode_sealed_assignment(payload)
    return assignment


def frame_of(message: object) -> bytearray:
    """Return *message*, a struct of plain values, as a frame."""
    frame = bytearray(HEAD)
    _encoder.encode_into(message, frame, HEAD)
    frame[:HEAD] = (len(frame) - HEAD).to_bytes(HEAD, "little")
    return frame


def encode_assignment(assignment: Assignment) -> bytearray:
    """Return *assignment* as a frame.

    Raises:
        NotStorable: a value of the config cannot be pickled; the text names it.
    """
    if native_dict(assignment.config):
        try:
            return frame_of(assignment)
        except (UnicodeEncodeError, OverflowError, TypeError, ValueError, RecursionError):
            pass
    return frame_of(msgspec.structs.replace(assignment, config=_portable(assignment.config, "config")))


def _encode_slowly(report: Reported) -> bytearray:
    frame = bytearray(HEAD)
    _encoder.encode_into(msgspec.structs.replace(report, metrics=_portable(report.metrics, "metrics")), frame, HEAD)
    return frame


def _portable(values: dict[str, Any], what: str) -> dict[str, Any]:
    """Return *values* with all that MessagePack cannot say, or would change, as pickles."""
    portable = {name: _portable_value(value, f"{what}[{name!r}]") for name, value in values.items()}
    try:
        _encoder.encode(portable)
        whole = not all(name.__class__ is str for name in portable)
    except (UnicodeEncodeError, OverflowError, TypeError):  # a name that MessagePack cannot say
        whole = True
    return {_WHOLE: _pickled(values, what, _PICKLED_WHOLE)} if whole else portable


def _unwrapped(values: dict[str, Any]) -> dict[Any, Any]:
    whole = values[_WHOLE]
    return whole.values if isinstance(whole, _Whole) else values


def _portable_value(value: Any, path: str) -> Any:
    if value.__class__.__module__ == "numpy" and getattr(value, "shape", None) == () and hasattr(value, "item"):
        plain = value.item()  # a numpy scalar comes to the log as the number that it stands for
        if native(plain):
            return plain
    if value.__class__ is Ext:
        return value  # sealed already
    if native(value):
        try:
            _encoder.encode(value)
        except (UnicodeEncodeError, OverflowError, TypeError, ValueError, RecursionError):
            pass
        else:
            return value
    return _pickled(value, path)


def _pickled(value: Any, path: str, code: int = _PICKLE) -> Ext:
    import cloudpickle

    try:
        return Ext(code, cloudpickle.dumps(value))
    except Exception as error:
        raise NotStorable(
            f"{path} ({type(value).__name__}) cannot be sent: it is neither plain data nor can it be pickled "
            f"({type(error).__name__}: {error}). Give a number, a string, or a picklable object."
        ) from error


def _plain(text: str) -> str:
    """Return *text* without lone surrogates, which no encoding can say."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _refuse(report: Reported, size: int) -> None:
    sizes = {name: len(_encoder.encode(_portable_value(value, str(name)))) for name, value in report.metrics.items()}
    biggest = max(sizes, key=lambda name: sizes[name])
    raise BadArgument(
        f"metrics[{biggest!r}]",
        f"{type(report.metrics[biggest]).__name__} of {sizes[biggest] / (1 << 20):.1f} MiB",
        "numbers and short texts, and put what is big into a checkpoint",
        f"this report takes {size / (1 << 20):.1f} MiB, and {MOST >> 20} MiB is the most; this is its biggest metric",
    )
