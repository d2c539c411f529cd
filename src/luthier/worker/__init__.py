"""Inside a trial: what runs a trainable, and what a trainable may call.

Nothing is imported here; ask the file that is named for what you want.
"""

from __future__ import annotations
