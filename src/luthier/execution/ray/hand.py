"""The driver's side of one actor."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import socket

    from luthier.execution.transcript import Transcript
    from luthier.worker.assignment import Assignment

Shape = tuple[tuple[str, float], ...]


class Hand:
    """One actor, and how its current attempt stands.

    Attributes:
        actor: the handle.
        node: the worker that it was placed on.
        shape: what it holds.
        number: names it, among all of this driver.
        assignment: what it works on; None before, between and after.
        transcript: what that prints.
        first: the attempt to begin when its process is there.
        born: whether it is there.
        apart: whether its node does not see the experiment's directory, so that files travel.
        served: how many attempts it was given.
        spoke: whether the current one has said anything.
        halted: whether its attempt was ordered to let go.
        given_up: why its attempt is being ended although nobody ordered that; empty where it is not.
        stack: where it stood then.
        deadline: when it will be pressed harder (monotonic seconds).
        pressed: how hard it was pressed to end: 0 not at all, 1 asked, 2 killed.
        group: the placement group that it holds; None without.
        wire: where its last report came from and its verdict goes; None for a call.
    """

    __slots__ = (
        "actor",
        "apart",
        "assignment",
        "born",
        "deadline",
        "first",
        "given_up",
        "group",
        "halted",
        "node",
        "number",
        "pressed",
        "served",
        "shape",
        "spoke",
        "stack",
        "transcript",
        "wire",
    )

    def __init__(self, actor: Any, node: str, shape: Shape, group: Any = None, number: int = 0) -> None:
        self.actor, self.node, self.shape, self.number, self.group = actor, node, shape, number, group
        self.assignment: Assignment | None = None
        self.transcript: Transcript | None = None
        self.wire: socket.socket | None = None
        self.first: bytes = b""
        self.born = self.apart = self.halted = self.spoke = False
        self.served = self.pressed = 0
        self.given_up = self.stack = ""
        self.deadline = math.inf

    @property
    def overdue(self) -> str:
        """Why its attempt was given up, and where it stood."""
        if not self.stack:
            return self.given_up
        return f"{self.given_up}\nThere it stood, the innermost call first:\n{self.stack}"
