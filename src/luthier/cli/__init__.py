"""The command ``luthier``: one file per verb.  Nothing is imported here."""

from __future__ import annotations
