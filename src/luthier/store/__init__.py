"""Where events are kept, and what can be read off them.

Nothing is imported here; ask the file that is named for what you want: :mod:`~luthier.store.jsonl` (one experiment's
log in its directory), :mod:`~luthier.store.memory`, :mod:`~luthier.store.views`, :mod:`~luthier.store.card`.
"""

from __future__ import annotations
