"""Agents: they run a sweep's trials on any machine.

The package can be called: ``luthier.agent(sweep, function=train)`` is :func:`luthier.agent.entry.agent`.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any


class _Agent(ModuleType):
    def __call__(self, *args: Any, **named: Any) -> Any:
        from luthier.agent.entry import agent

        return agent(*args, **named)


sys.modules[__name__].__class__ = _Agent
