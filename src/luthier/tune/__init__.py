"""Ray Tune's public API, on Luthier's core.

Everything is imported when it is first used, so that ``from luthier import tune`` costs next to nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from luthier.checkpoints.base import Checkpoint
    from luthier.tune.analysis import Analysis, ExperimentAnalysis
    from luthier.tune.callback import Callback
    from luthier.tune.configs import CheckpointConfig, FailureConfig, RunConfig, SyncConfig, TuneConfig
    from luthier.tune.error import TuneError
    from luthier.tune.experiment import Experiment
    from luthier.tune.progress_reporter import CLIReporter, JupyterNotebookReporter, ProgressReporter
    from luthier.tune.registry import register_env, register_trainable
    from luthier.tune.result import Result
    from luthier.tune.result_grid import ResultGrid
    from luthier.tune.resume_config import ResumeConfig
    from luthier.tune.run_experiments import run_experiments
    from luthier.tune.schedulers import create_scheduler
    from luthier.tune.searching import create_searcher
    from luthier.tune.spaces import (
        choice,
        grid_search,
        lograndint,
        loguniform,
        qlograndint,
        qloguniform,
        qrandint,
        qrandn,
        quniform,
        randint,
        randn,
        sample_from,
        uniform,
    )
    from luthier.tune.stopper import Stopper
    from luthier.tune.tune import run
    from luthier.tune.tuner import Tuner
    from luthier.worker.bundles import PlacementGroupFactory
    from luthier.worker.context import (
        TuneContext,
        get_context,
        get_trial_dir,
        get_trial_id,
        get_trial_name,
        get_trial_resources,
    )
    from luthier.worker.parameters import with_parameters
    from luthier.worker.resources import with_resources
    from luthier.worker.session import checkpoint_dir, get_checkpoint, report
    from luthier.worker.trainable import Trainable

__all__ = [
    "Analysis",
    "CLIReporter",
    "Callback",
    "Checkpoint",
    "CheckpointConfig",
    "Experiment",
    "ExperimentAnalysis",
    "FailureConfig",
    "JupyterNotebookReporter",
    "PlacementGroupFactory",
    "ProgressReporter",
    "Result",
    "ResultGrid",
    "ResumeConfig",
    "RunConfig",
    "Stopper",
    "SyncConfig",
    "Trainable",
    "TuneConfig",
    "TuneContext",
    "TuneError",
    "Tuner",
    "checkpoint_dir",
    "choice",
    "create_scheduler",
    "create_searcher",
    "get_checkpoint",
    "get_context",
    "get_trial_dir",
    "get_trial_id",
    "get_trial_name",
    "get_trial_resources",
    "grid_search",
    "lograndint",
    "loguniform",
    "qlograndint",
    "qloguniform",
    "qrandint",
    "qrandn",
    "quniform",
    "randint",
    "randn",
    "register_env",
    "register_trainable",
    "report",
    "run",
    "run_experiments",
    "sample_from",
    "uniform",
    "with_parameters",
    "with_resources",
]

_HOMES = {
    "luthier.checkpoints.base": ("Checkpoint",),
    "luthier.tune.analysis": ("Analysis", "ExperimentAnalysis"),
    "luthier.tune.callback": ("Callback",),
    "luthier.tune.configs": ("CheckpointConfig", "FailureConfig", "RunConfig", "SyncConfig", "TuneConfig"),
    "luthier.tune.error": ("TuneError",),
    "luthier.tune.experiment": ("Experiment",),
    "luthier.tune.progress_reporter": ("CLIReporter", "JupyterNotebookReporter", "ProgressReporter"),
    "luthier.tune.registry": ("register_env", "register_trainable"),
    "luthier.tune.result": ("Result",),
    "luthier.tune.result_grid": ("ResultGrid",),
    "luthier.tune.resume_config": ("ResumeConfig",),
    "luthier.tune.run_experiments": ("run_experiments",),
    "luthier.tune.tune": ("run",),
    "luthier.tune.schedulers": ("create_scheduler",),
    "luthier.tune.searching": ("create_searcher",),
    "luthier.tune.stopper": ("Stopper",),
    "luthier.tune.tuner": ("Tuner",),
    "luthier.worker.context": (
        "TuneContext",
        "get_context",
        "get_trial_dir",
        "get_trial_id",
        "get_trial_name",
        "get_trial_resources",
    ),
    "luthier.worker.parameters": ("with_parameters",),
    "luthier.worker.bundles": ("PlacementGroupFactory",),
    "luthier.worker.resources": ("with_resources",),
    "luthier.worker.session": ("checkpoint_dir", "get_checkpoint", "report"),
    "luthier.worker.trainable": ("Trainable",),
}
_HOME = {name: module for module, names in _HOMES.items() for name in names}
# Modules that scripts reach as attributes: tune.schedulers.ASHAScheduler.
_MODULES = frozenset({
    "analysis", "callback", "error", "execution", "experiment", "logger", "progress_reporter", "registry", "result",
    "result_grid", "schedulers", "search", "stopper", "suggest", "syncer", "trainable", "trial", "utils",
})  # fmt: skip


def __getattr__(name: str) -> object:
    if name in _MODULES:
        return import_module(f"luthier.tune.{name}")
    if name.startswith("__") or name not in __all__:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    found: object = getattr(import_module(_HOME.get(name, "luthier.tune.spaces")), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return __all__
