"""Nodes that do not see the experiment's directory: files travel."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from luthier.core.limits import Limits
from luthier.core.terms import Outcome, Status
from luthier.execution.ray.executor import RayExecutor
from luthier.testing.rig import Rig
from luthier.testing.trainables import Counter, pause_at, resuming
from luthier.worker.context import get_context
from luthier.worker.session import get_checkpoint

if TYPE_CHECKING:
    from pathlib import Path

    from luthier.core.terms import Config


def apart(trainable: Any, folder: Path, configs: list[Any], **options: Any) -> Rig:
    executor = RayExecutor(trainable, experiment_dir=folder)
    executor._marker = str(folder / "somewhere_else")  # what the nodes look for is another file
    return Rig(executor, folder, configs, **options).run()


def test_checkpoints_and_output_are_fetched(cluster: Any, tmp_path: Path):
    def trainable(config: Config) -> None:
        first = get_checkpoint() is None
        print("first" if first else "second")
        folder = get_context().get_trial_dir() or ""
        with open(f"{folder}/artifact.txt", "w") as file:
            file.write(folder)
        resuming({"n": 2 if first else 4})
        if first:
            raise RuntimeError("the first attempt fails")

    rig = apart(trainable, tmp_path, [{}], limits=Limits(max_failures=1, keep=2))
    assert rig.trial(0).status is Status.DONE
    assert [m["count"] for m in rig.reports()] == [1, 2, 3, 4]
    assert [m["from"] for m in rig.reports()] == [0, 0, 2, 2]
    assert [m["training_iteration"] for m in rig.reports()] == [1, 2, 3, 4]
    folder = tmp_path / rig.trial(0).id
    assert (folder / "stdout").read_text() == "first\nsecond\n"
    assert "the first attempt fails" in (folder / "error.txt").read_text()
    assert not (folder / "artifact.txt").read_text().startswith(str(tmp_path))
    kept = {"checkpoint_000002", "checkpoint_000003"}
    assert {p.name for p in folder.glob("*checkpoint*")} == kept | {f".{name}.json" for name in kept}
    assert (folder / "checkpoint_000003" / "count").read_text() == "4"


def test_a_class_that_saves_itself_at_the_end(cluster: Any, tmp_path: Path):
    rig = apart(Counter, tmp_path, [{"n": 4}], judge=pause_at(2))
    assert [m["count"] for m in rig.reports()] == [1, 2, 3, 4]
    assert rig.exited().outcome is Outcome.FINISHED
    assert (tmp_path / (rig.exited().checkpoint or "none")).is_dir()
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]
