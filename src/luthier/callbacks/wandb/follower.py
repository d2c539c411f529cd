"""Tells W&B what the log says, trial by trial."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from luthier.callbacks.wandb.job import run_id, without_words
from luthier.callbacks.wandb.journal import Journal, Told
from luthier.callbacks.wandb.rows import ABOUT_THE_TRIAL, config_of, flat, later_step, row_of
from luthier.callbacks.wandb.runs import AWAY, MOST_IDLE, Refused
from luthier.core import events as ev
from luthier.core.terms import Status

if TYPE_CHECKING:
    from luthier.callbacks.wandb.job import Job
    from luthier.callbacks.wandb.runs import Runs
    from luthier.core.terms import Config, Label, Metrics, Ref
    from luthier.store.card import ExperimentCard


_FORGOTTEN: Config = {}


class _Chapter:
    """One trial's part of the story."""

    __slots__ = (
        "attempt", "changed", "config", "ended", "idle", "job", "label", "placed", "refused", "reports", "run", "shown",
        "step", "trial",
    )  # fmt: skip

    def __init__(self, trial: str, label: Label, config: Config) -> None:
        self.trial, self.label, self.config = trial, label, config
        self.attempt = self.reports = 0
        self.step = 0
        self.job: Job | None = None
        self.run: Any = None
        self.shown: dict[str, Any] = {}  # the config that the run shows
        self.changed: set[str] = set()  # which parameters have been others before
        self.placed = 0  # the attempt whose place the run shows
        self.ended: Status | None = None
        self.idle = True
        self.refused = False  # whether what its config asks of W&B cannot be done

    @property
    def told(self) -> tuple[int, int, bool]:
        return self.reports, self.attempt, self.ended is not None


class Follower:
    """Hears the log from its beginning, and tells W&B what it has not been told yet.

    Args:
        job: what is told, and how.
        card: what the experiment is.
        journal: what was told already.
        runs: opens and closes runs.
    """

    def __init__(self, job: Job, card: ExperimentCard, journal: Journal, runs: Runs) -> None:
        self._job, self._card, self._journal, self._runs = job, card, journal, runs
        self._chapters: dict[str, _Chapter] = {}
        self._open: dict[str, _Chapter] = {}  # those whose runs are open, the ones used last at the end
        self._refusals: set[str] = set()  # what was said of trials that cannot be told

    def hear(self, event: ev.Event) -> None:
        """Hear the next event.

        Raises:
            Unreachable: W&B cannot be reached.
        """
        if isinstance(event, ev.Proposed):
            self._chapters[event.trial] = _Chapter(event.trial, event.label, event.config)
        elif isinstance(event, ev.Launched | ev.Reported | ev.Exited | ev.Ended):
            chapter = self._chapters[event.trial]
            if chapter.refused:
                return
            try:
                self._continued(chapter, event)
            except Refused as trouble:
                self._leave_out(chapter, str(trouble))

    def leave(self) -> None:
        """Close the runs that are open: the experiment is over, or goes on another time."""
        for chapter in list(self._open.values()):
            self._close(chapter, AWAY)

    # -- the story -----------------------------------------------------------------------------------------------------
    def _continued(self, chapter: _Chapter, event: ev.Launched | ev.Reported | ev.Exited | ev.Ended) -> None:
        match event:
            case ev.Launched(_, attempt, _, config):
                self._launched(chapter, attempt, config)
            case ev.Reported(_, _, _, metrics, checkpoint):
                self._reported(chapter, metrics, checkpoint)
            case ev.Exited(_, _, _, _, checkpoint):
                if checkpoint is not None:
                    self._saved(chapter, checkpoint)
                self._rest(chapter)
            case ev.Ended(_, status):
                self._ended(chapter, status)

    def _leave_out(self, chapter: _Chapter, why: str) -> None:
        """Leave a trial out, and say why; each reason is said once."""
        chapter.refused, chapter.config = True, _FORGOTTEN
        if why not in self._refusals:
            self._refusals.add(why)
            self._runs.say(
                f"trial {chapter.label.name} is not told, nor are others of which this is true: {why}; "
                "the experiment goes on"
            )

    def _launched(self, chapter: _Chapter, attempt: int, config: Config) -> None:
        chapter.attempt, chapter.ended, chapter.idle = attempt, None, False
        before, chapter.config = chapter.config, config
        if chapter.reports and before is not _FORGOTTEN:
            self._note_change(chapter, before)
        if attempt > self._journal[chapter.trial].attempt:
            self._opened(chapter)

    def _note_change(self, chapter: _Chapter, before: Config) -> None:
        """Take note of parameters that are others from now on; the last row shows what they were."""
        was, now = (dict(flat(config_of(without_words(one)))) for one in (before, chapter.config))
        changed = {name for name in was.keys() | now.keys() if was.get(name) != now.get(name)}
        first = changed - chapter.changed
        chapter.changed |= changed
        if chapter.run is not None:
            if first and not self._wish(chapter).log_config:
                old = {f"config/{name}": was[name] for name in first if name in was}
                chapter.run.log(old, step=chapter.step)
            self._show_config(chapter)

    def _reported(self, chapter: _Chapter, metrics: Metrics, checkpoint: Ref | None) -> None:
        chapter.reports += 1
        chapter.step = later_step(metrics.get("training_iteration"), chapter.step)
        if chapter.reports <= self._journal[chapter.trial].reports:
            return
        run, wish = self._opened(chapter), self._wish(chapter)
        row = row_of(metrics, wish.excludes, image=wish.image, video=wish.video)
        if wish.log_config or chapter.changed:
            config = flat(config_of(without_words(chapter.config)))
            row |= {f"config/{name}": value for name, value in config if wish.log_config or name in chapter.changed}
        run.log(row, step=chapter.step)
        if chapter.placed != chapter.attempt:
            chapter.placed = chapter.attempt
            place = {name: metrics[name] for name in ABOUT_THE_TRIAL if name in metrics}
            run.config.update(place, allow_val_change=True)
        if checkpoint is not None:
            self._saved(chapter, checkpoint)

    def _saved(self, chapter: _Chapter, checkpoint: Ref) -> None:
        path = os.path.join(self._job.directory, checkpoint)
        if not self._wish(chapter).upload_checkpoints or chapter.run is None or not os.path.isdir(path):
            return
        import wandb

        artifact = wandb.Artifact(f"checkpoint_{chapter.trial}", type="model", metadata={"step": chapter.step})
        artifact.add_dir(path)
        chapter.run.log_artifact(artifact)

    def _rest(self, chapter: _Chapter) -> None:
        """Keep the run open for when its trial goes on, unless too many are."""
        chapter.idle = True
        idle = [other for other in self._open.values() if other.idle]
        for other in idle[: max(0, len(idle) - MOST_IDLE)]:
            self._close(other, AWAY)

    def _ended(self, chapter: _Chapter, status: Status) -> None:
        chapter.ended, chapter.idle = status, True
        known = self._journal[chapter.trial]
        if chapter.attempt and (known.reports, known.attempt, known.ended) != chapter.told:
            self._opened(chapter)
            self._close(chapter, 1 if status is Status.FAILED else 0)
        chapter.config, chapter.shown, chapter.job = _FORGOTTEN, {}, None  # there may be many that have ended

    # -- runs ----------------------------------------------------------------------------------------------------------
    def _wish(self, chapter: _Chapter) -> Job:
        if chapter.job is None:
            try:
                chapter.job = self._job.of(chapter.config)
            except TypeError as error:
                raise Refused(f"its excludes are no names of metrics ({error})") from error
        return chapter.job

    def _opened(self, chapter: _Chapter) -> Any:
        """Return the trial's run, which is open now, and the one that was used last."""
        if chapter.run is None:
            wish = self._wish(chapter)
            folder = os.path.join(self._job.directory, chapter.label.folder)
            config = without_words(chapter.config)
            chapter.run = self._runs.open(
                wish, self._id_of(chapter), chapter.label.name, self._card.name, folder, config
            )
            chapter.shown, chapter.placed = config_of(config), 0
            told = {"trial_id": chapter.trial, "experiment_tag": chapter.label.tag, "trial_log_path": folder}
            chapter.run.config.update(told, allow_val_change=True)
            self._open[chapter.trial] = chapter
        else:
            self._open[chapter.trial] = self._open.pop(chapter.trial)
        return chapter.run

    def _show_config(self, chapter: _Chapter) -> None:
        now = config_of(without_words(chapter.config))
        if now != chapter.shown:
            chapter.run.config.update(now, allow_val_change=True)
            chapter.shown = now

    def _close(self, chapter: _Chapter, exit_code: int) -> None:
        run, chapter.run = chapter.run, None
        del self._open[chapter.trial]
        name = self._id_of(chapter)
        told = Told(chapter.trial, self._job.target, *chapter.told, name)
        self._runs.close(run, name, exit_code, lambda: self._journal.note(told))

    def _id_of(self, chapter: _Chapter) -> str:
        """Return the id of the trial's run: what was asked for, unless another trial has it."""
        wanted = self._wish(chapter).init.get("id")
        known = self._journal[chapter.trial].run
        if known:
            return known
        if not wanted:
            return run_id(chapter.trial, self._card.prefix, self._card.created, self._card.seed)
        return self._journal.claim(str(wanted), chapter.trial)
