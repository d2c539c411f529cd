"""What heartbeats of W&B's agents showed: which runs went missing, and what was handed out without an echo."""

from __future__ import annotations


class Lookout:
    """Remembers, in this process; what is forgotten at a restart is only seen a little later."""
