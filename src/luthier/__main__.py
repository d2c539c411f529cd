"""``python -m luthier``: the command line."""

from __future__ import annotations

from luthier.cli.main import main

main()
