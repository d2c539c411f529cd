from __future__ import annotations

from tests.execution.conftest import run

__all__ = ["run"]
