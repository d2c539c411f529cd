"""The one thing that a running trial has of the outside: somebody to tell."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from luthier.core.events import Reported
    from luthier.core.terms import Verdict


class Channel(Protocol):
    """Carries reports to whoever decides.

    Lockstep: :meth:`tell` returns once the report is safe, with the verdict on whether to carry on.
    """

    def tell(self, report: Reported) -> Verdict:
        """Deliver *report* and return the verdict; ``HALT`` where nobody is there any more."""
