"""What a trial that has ended leaves in memory: there may be many, and few are ever asked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import msgspec

from luthier.core.native import native_dict

if TYPE_CHECKING:
    from luthier.core.terms import Config, Metrics

Keys: TypeAlias = tuple[tuple[str, ...], tuple[str, ...]]

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(tuple[list[Any], list[Any]]).decode


class Packed(msgspec.Struct, frozen=True, gc=False):
    """Config and last metrics: their names, which many trials share, and their values as MessagePack.

    >>> one = packed({"lr": 0.1, "layers": [64, 32]}, {"loss": 0.5}, {})
    >>> one.config, one.metrics, len(one.values)
    ({'lr': 0.1, 'layers': [64, 32]}, {'loss': 0.5}, 24)
    """

    keys: Keys
    values: bytes

    @property
    def config(self) -> Config:
        """The config; a new dict each time."""
        return dict(zip(self.keys[0], _decode(self.values)[0], strict=True))

    @property
    def metrics(self) -> Metrics:
        """The metrics; a new dict each time."""
        return dict(zip(self.keys[1], _decode(self.values)[1], strict=True))


def packed(config: Config, metrics: Metrics, known: dict[Keys, Keys]) -> Packed | None:
    """Return both packed; None where they hold anything that would not come back as it is.

    Args:
        config: a trial's config.
        metrics: its last metrics.
        known: the names of the trials before, so that equal ones are kept once.
    """
    if config.__class__ is not dict or metrics.__class__ is not dict:
        return None
    if not native_dict(config) or not native_dict(metrics):
        return None
    try:
        values = _encode((list(config.values()), list(metrics.values())))
    except (UnicodeEncodeError, OverflowError, TypeError, ValueError, RecursionError):  # surrogates, endless integers
        return None
    keys = (tuple(config), tuple(metrics))
    return Packed(known.setdefault(keys, keys), values)
