"""Contract suites, shipped so that users can test what they plug in: subclass one and override its fixture.

Nothing is imported here; see :mod:`luthier.testing.stores`.
"""

from __future__ import annotations
