"""What Luthier costs, in time and memory: one module, one command, one line of JSON each."""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = str(Path(__file__).resolve().parents[1])
SOURCE = str(Path(ROOT, "src"))

# What is measured is the checkout that this file belongs to, whichever one is installed.
sys.path[:] = [SOURCE, *(path for path in sys.path if path != SOURCE)]
