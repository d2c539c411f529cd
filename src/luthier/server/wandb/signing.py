"""Addresses that need no key, for a while: what they allow is in them, signed with a secret of the server's."""

from __future__ import annotations

import base64
import binascii
import contextlib
import hashlib
import hmac
import os
import secrets
from typing import TYPE_CHECKING, Any

import msgspec
from fastapi import HTTPException

if TYPE_CHECKING:
    from pathlib import Path

LIFE_S = 3600.0
_NAME = ".secret"


class Signer:
    """Makes tokens, and reads its own.

    All servers that share a directory of files share its secret, which is made when it is first needed.

    Args:
        directory: the server's for files.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._secret: bytes | None = None

    def token(self, what: dict[str, Any], now: float, life_s: float = LIFE_S) -> str:
        """Return a token that allows *what* until *life_s* seconds after *now*."""
        body = _letters(msgspec.json.encode({**what, "until": now + life_s}))
        return f"{body}.{self._seal(body)}"

    def read(self, token: str, now: float) -> dict[str, Any]:
        """Return what *token* allows.

        Raises:
            HTTPException: 403 for one that is not ours, or is too old.
        """
        body, _, seal = token.partition(".")
        if not token.isascii() or not hmac.compare_digest(seal, self._seal(body)):
            raise HTTPException(403, "this address was not made here")
        try:
            found: dict[str, Any] = msgspec.json.decode(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
        except (binascii.Error, msgspec.DecodeError) as error:
            raise HTTPException(403, "this address was not made here") from error
        if found["until"] < now:
            raise HTTPException(403, "this address was good for a while, and no longer is")
        return found

    def _seal(self, body: str) -> str:
        if self._secret is None:
            self._secret = _secret(self._directory)
        return _letters(hmac.digest(self._secret, body.encode(), hashlib.sha256))


def _letters(given: bytes) -> str:
    return base64.urlsafe_b64encode(given).rstrip(b"=").decode()


def _secret(directory: Path) -> bytes:
    """Return the secret in *directory*; of several who make it at once, one wins."""
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    path, made = directory / _NAME, directory / f"{_NAME}-{secrets.token_hex(8)}"
    if not path.exists():
        descriptor = os.open(made, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(secrets.token_bytes(32))
        with contextlib.suppress(FileExistsError):
            os.link(made, path)
        made.unlink()
    return path.read_bytes()
