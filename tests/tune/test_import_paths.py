"""The paths that scripts import from: those of Ray Tune's documentation and examples, with Luthier's name."""

from __future__ import annotations

import importlib
import subprocess
import sys

import pytest

from luthier import tune
from luthier.core.errors import BadArgument, BadArgumentType, LuthierError

PATHS = """
tune: Tuner TuneConfig RunConfig CheckpointConfig FailureConfig SyncConfig ResumeConfig run run_experiments Experiment
tune: report get_checkpoint get_context Checkpoint Result ResultGrid ExperimentAnalysis Trainable with_parameters
tune: with_resources PlacementGroupFactory register_trainable register_env Callback Stopper ProgressReporter CLIReporter
tune: JupyterNotebookReporter create_searcher create_scheduler TuneError TuneContext uniform quniform loguniform
tune: qloguniform randn qrandn randint qrandint lograndint qlograndint choice sample_from grid_search
tune.analysis: ExperimentAnalysis
tune.callback: Callback
tune.error: TuneError
tune.execution.placement_groups: PlacementGroupFactory resource_dict_to_pg_factory
tune.execution.trial_runner: TrialRunner
tune.execution.tune_controller: TuneController
tune.experiment: Experiment Trial
tune.experiment.experiment: Experiment
tune.experiment.trial: Trial
tune.experimental.output: AirVerbosity
tune.integration.comet: CometLoggerCallback
tune.integration.keras: TuneReportCallback TuneReportCheckpointCallback
tune.integration.lightgbm: TuneReportCallback TuneReportCheckpointCallback
tune.integration.pytorch_lightning: TuneCallback TuneReportCallback TuneReportCheckpointCallback
tune.integration.xgboost: TuneReportCallback TuneReportCheckpointCallback
tune.integration.mlflow: MLflowLoggerCallback mlflow_mixin setup_mlflow
tune.logger: LoggerCallback CSVLoggerCallback JsonLoggerCallback TBXLoggerCallback pretty_print
tune.logger: DEFAULT_LOGGERS Logger JsonLogger CSVLogger TBXLogger NoopLogger LegacyLoggerCallback
tune.logger.aim: AimLoggerCallback
tune.logger.comet: CometLoggerCallback
tune.logger.csv: CSVLoggerCallback
tune.logger.json: JsonLoggerCallback
tune.logger.logger: LoggerCallback pretty_print
tune.logger.mlflow: MLflowLoggerCallback
tune.logger.tensorboardx: TBXLoggerCallback
tune.logger.wandb: WandbLoggerCallback
tune.integration.wandb: WandbLogger WandbLoggerCallback WandbTrainableMixin setup_wandb wandb_mixin
tune.progress_reporter: CLIReporter JupyterNotebookReporter ProgressReporter TuneReporterBase
tune.registry: register_env register_trainable get_trainable_cls
tune.result: DEFAULT_METRIC TRAINING_ITERATION TIME_TOTAL_S TIMESTEPS_TOTAL TIME_THIS_ITER_S DONE TRIAL_ID PID Result
tune.result_grid: ResultGrid
tune.sample: Categorical Domain Float Integer choice loguniform uniform
tune.schedulers: ASHAScheduler AsyncHyperBandScheduler FIFOScheduler HyperBandForBOHB HyperBandScheduler
tune.schedulers: MedianStoppingRule PopulationBasedTraining PopulationBasedTrainingReplay ResourceChangingScheduler
tune.schedulers: TrialScheduler create_scheduler
tune.schedulers.async_hyperband: ASHAScheduler AsyncHyperBandScheduler
tune.schedulers.hb_bohb: HyperBandForBOHB
tune.schedulers.hyperband: HyperBandScheduler
tune.schedulers.median_stopping_rule: MedianStoppingRule
tune.schedulers.pb2: PB2
tune.schedulers.pbt: PopulationBasedTraining PopulationBasedTrainingReplay
tune.schedulers.resource_changing_scheduler: DistributeResources DistributeResourcesToTopJob ResourceChangingScheduler
tune.schedulers.trial_scheduler: FIFOScheduler TrialScheduler
tune.search: BasicVariantGenerator ConcurrencyLimiter Repeater Searcher create_searcher
tune.search.basic_variant: BasicVariantGenerator
tune.search.bohb: TuneBOHB
tune.search.concurrency_limiter: ConcurrencyLimiter
tune.search.hyperopt: HyperOptSearch
tune.search.optuna: OptunaSearch
tune.search.repeater: Repeater
tune.search.sample: Categorical Domain Float Function Integer LogUniform Normal Quantized Uniform
tune.search.searcher: Searcher
tune.search.variant_generator: generate_variants grid_search parse_spec_vars
tune.stopper: CombinedStopper ExperimentPlateauStopper FunctionStopper MaximumIterationStopper NoopStopper Stopper
tune.stopper: TimeoutStopper TrialPlateauStopper
tune.stopper.experiment_plateau: ExperimentPlateauStopper
tune.stopper.function_stopper: FunctionStopper
tune.stopper.maximum_iteration: MaximumIterationStopper
tune.stopper.noop: NoopStopper
tune.stopper.stopper: CombinedStopper Stopper
tune.stopper.timeout: TimeoutStopper
tune.stopper.trial_plateau: TrialPlateauStopper
tune.suggest: BasicVariantGenerator ConcurrencyLimiter Repeater Searcher create_searcher
tune.suggest.basic_variant: BasicVariantGenerator
tune.suggest.skopt: SkOptSearch
tune.search.skopt: SkOptSearch
tune.suggest.zoopt: ZOOptSearch
tune.search.zoopt: ZOOptSearch
tune.suggest.ax: AxSearch
tune.search.ax: AxSearch
tune.suggest.bayesopt: BayesOptSearch
tune.search.bayesopt: BayesOptSearch
tune.suggest.bohb: TuneBOHB
tune.suggest.hyperopt: HyperOptSearch
tune.suggest.optuna: OptunaSearch
tune.suggest.repeater: Repeater
tune.suggest.suggestion: ConcurrencyLimiter Searcher
tune.syncer: SyncConfig
tune.trainable: Trainable with_parameters
tune.trainable.trainable: Trainable
tune.trial: Trial
tune.tune: run
tune.tune_config: ResumeConfig TuneConfig
tune.tuner: Tuner
tune.utils: date_str deep_update flatten_dict merge_dicts unflattened_lookup validate_save_restore wait_for_gpu
tune.utils.log: Verbosity
tune.utils.placement_groups: PlacementGroupFactory
tune.utils.util: deep_update flatten_dict merge_dicts unflatten_dict
air: Checkpoint CheckpointConfig FailureConfig Result RunConfig session
air.checkpoint: Checkpoint
air.config: CheckpointConfig FailureConfig RunConfig
air.constants: TRAINING_ITERATION
air.integrations.comet: CometLoggerCallback
air.integrations.keras: ReportCheckpointCallback
air.integrations.mlflow: MLflowLoggerCallback setup_mlflow
air.integrations.wandb: WandbLoggerCallback setup_wandb
air.result: Result
air.session: get_checkpoint get_trial_id report
train.huggingface.transformers: RayTrainReportCallback prepare_trainer
train.lightgbm: RayTrainReportCallback
train.lightning: RayTrainReportCallback
train.tensorflow.keras: ReportCheckpointCallback
train.xgboost: RayTrainReportCallback
train: Checkpoint CheckpointConfig FailureConfig Result RunConfig SyncConfig get_checkpoint get_context report
"""
NAMES = [
    (f"luthier.{module}", name)
    for module, _, names in (line.partition(": ") for line in PATHS.strip().splitlines())
    for name in names.split()
]
LIBRARIES = ("keras", "lightgbm", "lightning", "transformers", "xgboost")  # imported by what stands on them


@pytest.mark.parametrize(("module", "names"), sorted({m: [n for k, n in NAMES if k == m] for m, _ in NAMES}.items()))
def test_scripts_find_what_they_import(module, names):
    found = importlib.import_module(module)
    assert [name for name in names if not hasattr(found, name)] == []
    where = {getattr(vars(found).get(name), "__module__", "luthier") for name in names}
    assert all(str(place).startswith(("luthier", "builtins")) for place in where)


def test_modules_are_reached_as_attributes_and_no_library_is_imported():
    modules = sorted({module for module, _ in NAMES if not module.endswith(LIBRARIES)})
    script = (
        "import sys; from luthier import tune; tune.logger.LoggerCallback; tune.utils.date_str; tune.suggest.Searcher\n"
        "tune.experiment.Trial; tune.execution.TuneController; tune.trainable.Trainable; tune.result.PID\n"
        f"import importlib; [importlib.import_module(name) for name in {modules!r}]\n"
        "heavy = {'torch', 'wandb', 'mlflow', 'comet_ml', 'aim', 'tensorboardX', 'tensorboard', 'optuna', 'IPython'}\n"
        "assert not heavy & sys.modules.keys(), heavy & sys.modules.keys()"
    )
    done = subprocess.run([sys.executable, "-W", "error", "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_an_experiment_is_run_and_several_are(tmp_path):
    def train(config):
        tune.report({"loss": config["x"]})
        if config["x"] == 3:
            raise ValueError("three")

    storage = str(tmp_path)
    toy = tune.Experiment("toy", train, config={"x": tune.grid_search([1, 2])}, storage_path=storage)
    analysis = tune.run(toy, metric="loss", mode="min", executor="inline", verbose=0, name="unused")
    assert analysis.best_config == {"x": 1} and analysis.experiment_path == f"{tmp_path}/toy"
    assert toy.public_spec == {}
    spec = {"run": train, "config": {"x": 3}, "num_samples": 2, "storage_path": storage}
    with pytest.raises(tune.TuneError, match="did not complete"):
        tune.run_experiments({"a": spec}, verbose=0)
    again = tune.Experiment("b", train, config={"x": 4}, storage_path=storage)
    trials = tune.run_experiments([again, tune.Experiment.from_json("c", spec)], verbose=0, raise_on_failed_trial=False)
    assert [trial.status for trial in trials] == ["TERMINATED", "ERROR", "ERROR"]
    with pytest.raises(BadArgument, match="nsamples=3 cannot be used"):
        tune.Experiment("d", train, nsamples=3)
    with pytest.raises(BadArgumentType, match="experiments=3"):
        tune.run_experiments(3)  # type: ignore[arg-type]


def test_nested_dicts():
    from luthier.tune.utils import deep_update, flatten_dict, merge_dicts, unflatten_dict, unflattened_lookup

    nested = {"a": {"b": 1, "c": {"d": 2}}, "e": [5, 6]}
    assert unflatten_dict(flatten_dict(nested)) == nested
    assert flatten_dict(nested, delimiter=".")["a.c.d"] == 2
    with pytest.raises(BadArgument, match="'x/y'"):
        flatten_dict({"a": {"x/y": 1}}, prevent_delimiter=True)
    assert unflattened_lookup("a/c/d", nested) == 2 and unflattened_lookup("e/1", nested) == 6
    assert unflattened_lookup("a/x", nested, default=None) is None
    with pytest.raises(KeyError, match="a/x"):
        unflattened_lookup("a/x", nested)
    merged = merge_dicts(nested, {"a": {"b": 3, "new": 4}})
    assert merged["a"] == {"b": 3, "c": {"d": 2}, "new": 4} and nested["a"] == {"b": 1, "c": {"d": 2}}
    with pytest.raises(BadArgument, match="'new' is not known"):
        deep_update({"a": {}}, {"new": 1})
    assert deep_update({"a": {"b": 1}}, {"a": {"c": 2}}, allow_new_subkey_list=["a"]) == {"a": {"b": 1, "c": 2}}
    typed = {"o": {"type": "sgd", "lr": 1}}
    assert deep_update(typed, {"o": {"type": "adam"}}, override_all_if_type_changes=["o"]) == {"o": {"type": "adam"}}


def test_saving_is_tried_out():
    from luthier.tune.utils import validate_save_restore

    class Counter(tune.Trainable):
        def setup(self, config):
            self.count = 0

        def step(self):
            self.count += 1
            return {"count": self.count}

        def save_checkpoint(self, directory):
            return {"count": self.count}

        def load_checkpoint(self, state):
            self.count = state["count"]

    assert validate_save_restore(Counter, {"lr": 1}) is True

    class Forgetful(Counter):
        def load_checkpoint(self, state):
            raise KeyError("lost")

    with pytest.raises(KeyError, match="lost"):
        validate_save_restore(Forgetful)
    with pytest.raises(BadArgumentType, match="a subclass of Trainable"):
        validate_save_restore(lambda config: 1)  # type: ignore[arg-type]


def test_waiting_for_a_gpu(monkeypatch, tmp_path):
    from luthier.tune.utils import wait_for_gpu

    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(LuthierError, match="nvidia-smi"):
        wait_for_gpu()
    smi = tmp_path / "nvidia-smi"
    smi.write_text(
        f"#!/bin/sh\necho x >> {tmp_path}/calls\nread_calls() {{ while read l; do n=$((n+1)); done; }}\nn=0\n"
        f"read_calls < {tmp_path}/calls\nif [ $n -lt 3 ]; then u=5000; else u=10; fi\n"
        'echo "0, GPU-aa, 9000, 10000"\necho "1, GPU-bb, $u, 10000"\n'
    )
    smi.chmod(0o755)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-bb,0")
    assert wait_for_gpu(delay_s=0) is True
    assert (tmp_path / "calls").read_text().count("x") == 3
    with pytest.raises(LuthierError, match=r"GPU 0 is still in use after 2 looks: 90% of its memory, more than 1%"):
        wait_for_gpu(0, retry=2, delay_s=0)
    with pytest.raises(BadArgument, match="there are: 0, 1"):
        wait_for_gpu(7)


def test_verbosity_by_name(tmp_path):
    from luthier.tune.experimental.output import AirVerbosity
    from luthier.tune.utils.log import Verbosity

    for silent in (Verbosity.V0_MINIMAL, AirVerbosity.SILENT):
        assert tune.RunConfig(verbose=silent).verbose == 0
