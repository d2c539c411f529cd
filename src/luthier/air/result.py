"""What one trial came to, at the path that scripts import it from."""

from __future__ import annotations

from luthier.tune.result import Result

__all__ = ["Result"]
