"""The files that trials leave behind to go on from.

Ask :mod:`~luthier.checkpoints.base` for :class:`Checkpoint`, :mod:`~luthier.checkpoints.local` for where they lie.
"""

from __future__ import annotations
