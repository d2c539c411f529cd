"""Luthier: hyperparameter tuning with Ray Tune's interface, on an event-sourced core.

Nothing is imported here, so that ``import luthier`` costs nothing; start from :mod:`luthier.tune`, or for sweeps from
``luthier.sweep``, ``luthier.agent``, ``luthier.init`` and ``luthier.log``.
"""

from __future__ import annotations

TYPE_CHECKING = False  # as in typing, which need not be imported for it
if TYPE_CHECKING:
    from luthier.agent.entry import agent
    from luthier.sweeps.api import Api
    from luthier.sweeps.attributes import Parameters
    from luthier.sweeps.launch import sweep
    from luthier.sweeps.run import Summary, finish, init, log

    config: Parameters
    summary: Summary

__all__ = ["Api", "__version__", "agent", "finish", "init", "log", "sweep"]

__version__ = "0.1.0"

_HOMES = {
    "Api": "luthier.sweeps.api",
    "finish": "luthier.sweeps.run",
    "init": "luthier.sweeps.run",
    "log": "luthier.sweeps.run",
    "sweep": "luthier.sweeps.launch",
}


def __getattr__(name: str) -> object:
    from importlib import import_module

    if name == "agent":  # a package that can be called
        return import_module("luthier.agent")
    if name in {"config", "summary"}:  # of this process's run, which may change
        return getattr(import_module("luthier.sweeps.run").init(), name)
    if name not in _HOMES:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    found: object = getattr(import_module(_HOMES[name]), name)
    globals()[name] = found
    return found
