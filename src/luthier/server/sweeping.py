"""What users do with sweeps and runs: make them, pause, resume, stop, cancel and delete them."""

from __future__ import annotations

import os
import secrets
from typing import TYPE_CHECKING

import sqlalchemy as sa

from luthier.core import events as ev
from luthier.core.errors import BadArgument
from luthier.core.terms import TrialId
from luthier.server.folding import DELETED, ENDED
from luthier.server.hosted import Hosted
from luthier.server.missing import NotThere
from luthier.server.planning import Plan
from luthier.server.tables import agents, projects, runs, sweeps

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from luthier.server.roster import Roster
    from luthier.sweeps.spec import SweepSpec

LONGEST_NAME = 500
LETTERS = "0123456789abcdefghijklmnopqrstuvwxyz"
RUNNING, PAUSED, FINISHED, CANCELED = "RUNNING", "PAUSED", "FINISHED", "CANCELED"
STATES = (RUNNING, PAUSED, FINISHED, CANCELED)
UNSORTED = "uncategorized"  # the project of what names none, as W&B calls it
_DONE = {RUNNING: "resumed", PAUSED: "paused", FINISHED: "stopped", CANCELED: "canceled"}  # in people's words


def create(
    connection: Connection,
    roster: Roster,
    spec: SweepSpec,
    project: str | None,
    name: str | None,
    now: float,
    controller: str | None = None,
) -> str:
    """Make a sweep and return its id; with a *controller*, what it tries comes from elsewhere.

    Raises:
        BadArgument: something of it cannot be used.
    """
    sweep = "".join(secrets.choice(LETTERS) for _ in range(8))
    seed = int.from_bytes(os.urandom(4), "little") if spec.seed is None else spec.seed
    for what, words, most in (("name", name or spec.name, LONGEST_NAME), ("description", spec.description, 10_000)):
        checked_words(what, words or "", most)
    plan = Plan(spec, sweep, seed, driven=controller is not None)
    place = project_id(connection, project or spec.project or UNSORTED, now)
    goal = plan.goals[0] if plan.goals else None
    connection.execute(
        sa.insert(sweeps).values(
            id=sweep,
            project_id=place,
            kind="sweep",
            name=name or spec.name or sweep,
            description=spec.description or "",
            config=spec.text,
            seed=seed,
            metric=None if goal is None else goal.metric,
            mode=None if goal is None else goal.mode,
            state="PENDING",
            created_at=now,
            updated_at=now,
            expected=plan.expected,
            controller=controller,
        )
    )
    roster.put(Hosted(sweep, place, plan))
    return sweep


def checked_words(what: str, words: str, most: int = LONGEST_NAME) -> None:
    r"""See to it that *words* can be kept, on whatever database, and shown in a list.

    Raises:
        BadArgument: they cannot.

    >>> checked_words("name", "a\x00b")
    Traceback (most recent call last):
        ...
    luthier.core.errors.BadArgument: name='a\x00b' cannot be used: give up to 500 characters, without NUL.
    """
    if len(words) > most or "\x00" in words:
        raise BadArgument(what, words[:100], f"up to {most} characters, without NUL")


def project_id(connection: Connection, name: str, now: float) -> int:
    """Return the id of the project called *name*, which is made if there is none."""
    if not name.strip() or len(name) > 128 or any(c in name for c in "/\\#?%:") or not name.isprintable():  # noqa: PLR2004
        raise BadArgument("project", name, "a name of up to 128 characters without / \\ # ? % :")
    chosen = sa.select(projects.c.id).where(projects.c.name == name)
    found = connection.execute(chosen).scalar_one_or_none()
    if found is None:
        from sqlalchemy.dialects import postgresql, sqlite

        dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
        made = dialect.insert(projects).values(name=name, created_at=now)
        connection.execute(made.on_conflict_do_nothing(index_elements=["name"]))
        found = connection.execute(chosen).scalar_one()
    return int(found)


def change_state(connection: Connection, roster: Roster, sweep: str, wanted: str, now: float, by: str) -> None:
    """Let a sweep go on, pause, take its end (its runs go on), or be cancelled (they do not).

    Raises:
        NotThere: there is no such sweep.
        BadArgument: there is no such state, or the sweep cannot come to it from where it is.
    """
    if wanted not in STATES:
        raise BadArgument("state", wanted, f"one of {', '.join(STATES)}")
    hosted = roster.of(connection, sweep)
    state = connection.execute(sa.select(sweeps.c.state).where(sweeps.c.id == sweep)).scalar_one()
    if wanted == PAUSED and state in ENDED:
        raise BadArgument("state", wanted, "RUNNING", f"the sweep is {state}")
    experiment = hosted.engine.experiment
    connection.execute(
        sa.update(sweeps).where(sweeps.c.id == sweep).values(wanted=wanted, reason=f"{_DONE[wanted]} by {by}")
    )
    was, hosted.wanted = hosted.wanted, wanted
    if wanted == CANCELED:
        hosted.handle(ev.StopRequested(f"cancelled by {by}"))
    elif wanted == FINISHED:
        hosted.handle(ev.Reopened(num_trials=len(experiment), note=f"no further runs, by {by}"))
    elif wanted == RUNNING and (was in {FINISHED, CANCELED} or state in ENDED or _cut_short(hosted)):
        planned = hosted.plan.limits.num_trials
        if planned is not None:
            planned += _deleted(connection, sweep)
        hosted.handle(ev.Reopened(num_trials=-1 if planned is None else planned, note=f"goes on, by {by}"))
        connection.execute(sa.update(sweeps).where(sweeps.c.id == sweep).values(state=RUNNING))
    here = sa.select(agents.c.id).where(agents.c.sweep_id == sweep, agents.c.state == "here")
    present = [agent for (agent,) in connection.execute(here) if agent in hosted.offers]
    if wanted != CANCELED:
        for agent in present:
            hosted.join(agent)
    roster.save(connection, hosted, now)
    roster.ring(present)


def _cut_short(hosted: Hosted) -> bool:
    """Return whether a sweep, paused by now, was to take its end before that."""
    planned, now = hosted.plan.limits.num_trials, hosted.engine.experiment
    return bool(now.stopping) or (now.num_trials is not None and (planned is None or now.num_trials < planned))


def _deleted(connection: Connection, sweep: str) -> int:
    """Return how many runs of *sweep* others took the place of."""
    chosen = sa.select(sa.func.count()).where(runs.c.sweep_id == sweep, runs.c.state == DELETED)
    return int(connection.execute(chosen).scalar_one())


def end_in_time(connection: Connection, roster: Roster, sweep: str, now: float) -> None:
    """End *sweep*, and its runs, if its time is over: that counts from the start of its first run."""
    budget = roster.of(connection, sweep).plan.spec.time_budget_s
    first = sa.select(sa.func.min(runs.c.started_at)).where(runs.c.sweep_id == sweep)
    began = connection.execute(first).scalar_one()
    if budget is None or began is None or now < began + budget:
        return
    hosted = roster.of(connection, sweep)
    hosted.handle(ev.StopRequested(f"the time budget of {budget:g} s is over"))
    roster.save(connection, hosted, now)


def delete(connection: Connection, roster: Roster, sweep: str) -> None:
    """Delete a sweep, its runs and all that they produced; agents that ask for it next end.

    Raises:
        NotThere: there is no such sweep.
    """
    here = connection.execute(sa.select(agents.c.id).where(agents.c.sweep_id == sweep)).scalars().all()
    if connection.execute(sa.delete(sweeps).where(sweeps.c.id == sweep)).rowcount == 0:
        raise NotThere("sweep", sweep)
    roster.forget(sweep)
    roster.ring(here)


def stop_run(connection: Connection, roster: Roster, run: str, now: float, by: str) -> None:
    """End one run early; what it reported stays.

    Raises:
        NotThere: there is no such run.
    """
    if _alone(connection, run, {"state": "stopping", "reason": f"stopped by {by}"}, ("running",)):
        return
    hosted = _of_run(connection, roster, run)
    stopping = hosted.engine.experiment.stopping
    hosted.handle(ev.Reopened(ended=(TrialId(run),), stopping=stopping, note=f"stopped by {by}"))
    roster.save(connection, hosted, now)


def rerun(connection: Connection, roster: Roster, run: str, now: float, by: str) -> None:
    """Have a run that has ended tried once more, from the beginning; of a sweep that was cancelled, it alone.

    Raises:
        NotThere: there is no such run.
        BadArgument: it was deleted.
    """
    hosted = _of_run(connection, roster, run)
    if _is_deleted(connection, run):
        raise BadArgument("run", run, "one that was not deleted")
    experiment = hosted.engine.experiment
    alone = len(experiment) if experiment.stopping else None
    note = f"run {run} once more, by {by}"
    hosted.handle(ev.Reopened(num_trials=alone, rerun=(TrialId(run),), from_scratch=True, note=note))
    connection.execute(sa.update(sweeps).where(sweeps.c.id == hosted.id).values(state=RUNNING))
    roster.save(connection, hosted, now)


def delete_run(connection: Connection, roster: Roster, run: str, now: float, by: str) -> None:
    """End a run and no longer show it; another one takes its place, if the number of runs was counted.

    Raises:
        NotThere: there is no such run.
    """
    if _alone(connection, run, {"state": DELETED}):
        return
    hosted = _of_run(connection, roster, run)
    if _is_deleted(connection, run):  # its place was taken then
        return
    experiment = hosted.engine.experiment
    limit = experiment.num_trials
    more = None if limit is None or hosted.engine.finished else limit + 1
    event = ev.Reopened(num_trials=more, ended=(TrialId(run),), stopping=experiment.stopping, note=f"deleted by {by}")
    hosted.handle(event)
    roster.save(connection, hosted, now)
    connection.execute(sa.update(runs).where(runs.c.id == run).values(state=DELETED))


def _is_deleted(connection: Connection, run: str) -> bool:
    state: str = connection.execute(sa.select(runs.c.state).where(runs.c.id == run)).scalar_one()
    return state == DELETED


def _alone(connection: Connection, run: str, changed: dict[str, str], before: tuple[str, ...] = ()) -> bool:
    """Return whether *run* is of no sweep; then it is *changed*, if its state was one of those *before*."""
    alone = (runs.c.id == run, runs.c.sweep_id.is_(None))
    if connection.execute(sa.select(runs.c.id).where(*alone)).scalar() is None:
        return False
    since = (runs.c.state.in_(before),) if before else ()
    connection.execute(sa.update(runs).where(*alone, *since).values(**changed))
    return True


def _of_run(connection: Connection, roster: Roster, run: str) -> Hosted:
    sweep = connection.execute(sa.select(runs.c.sweep_id).where(runs.c.id == run)).scalar_one_or_none()
    if sweep is None:
        raise NotThere("run", run)
    return roster.of(connection, sweep)
