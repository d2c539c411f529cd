"""Sweeps: their description, and the client of the server that holds them."""

from __future__ import annotations

from luthier.sweeps.published import schema

__all__ = ["schema"]
