"""Regular expressions of others, looked for by RE2: in time that grows with the text alone, whatever the pattern is.

Python's own would go back and try again: a short pattern could keep the server at it for years.
"""

from __future__ import annotations

import re2

from luthier.server.wandb.asked import Refused

LONGEST = 10_000  # characters of a pattern
_MEMORY = 1 << 20  # bytes that a pattern may take


class Pattern:
    """A regular expression, in RE2's words: without references, and without looking ahead or back.

    Args:
        text: what is looked for.
        options: ``"i"`` where capitals make no difference.

    Raises:
        Refused: it cannot be read, or has what is not known here.

    >>> Pattern("^base(line)?-[0-9]+$").search("baseline-12"), Pattern("LINE", "i").search("baseline")
    (True, True)
    """

    def __init__(self, text: str, options: str = "") -> None:
        if not isinstance(text, str) or not isinstance(options, str) or options.strip("i"):
            raise Refused("$regex is a text, and of $options only i is known here")
        wishes = re2.Options()
        wishes.case_sensitive, wishes.log_errors, wishes.max_mem = "i" not in options, False, _MEMORY
        if len(text) > LONGEST:
            raise Refused(f"$regex has {len(text)} characters: {LONGEST} are the most")
        try:
            self._found = re2.compile(text, wishes).search
        except (re2.error, UnicodeEncodeError) as error:
            why = error.args[0]
            said = why.decode(errors="replace") if isinstance(why, bytes) else str(error)
            raise Refused(f"$regex {text!a} cannot be read: {said}") from None

    def search(self, text: str) -> bool:
        """Return whether it is found anywhere in *text*."""
        return self._found(text.encode("utf-8", "replace").decode()) is not None
