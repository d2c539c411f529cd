"""Going through a schedule that population based training found, under Ray Tune's name."""

from __future__ import annotations

import json
import logging
import os
from typing import TYPE_CHECKING, Any, TypeAlias

from luthier.core.errors import BadArgument, BadArgumentType
from luthier.core.goal import number
from luthier.tune.schedulers.saved_class import check_saves
from luthier.tune.schedulers.trial_scheduler import TrialScheduler

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from luthier.callbacks.base import Recalling
    from luthier.core.goal import Goal
    from luthier.core.policy import Scheduler
    from luthier.core.terms import Config
    from luthier.worker.saving import SaveRule

    _Line: TypeAlias = tuple[str, str, object, float, Config, Config]

log = logging.getLogger("luthier")

TIME = "training_iteration"


class PopulationBasedTrainingReplay(TrialScheduler):
    """Trains one trial by the schedule in a policy file: the configs that led to where a trial of a population was.

    The trial begins with the first config of the schedule, whatever ``param_space`` says, and is restarted from its own
    checkpoint with the next one whenever the schedule says so.  So it must save checkpoints, as in population based
    training.

    Args:
        policy_file: ``pbt_policy_<trial_id>.txt`` of an experiment of Luthier's or Ray Tune's, or a list of its lines.

    Attributes:
        config: the config to begin with; None where the file is empty.

    Raises:
        BadArgument: there is no such file, or it is no policy file.
    """

    def __init__(self, policy_file: str | os.PathLike[str] | Sequence[Any]) -> None:
        super().__init__()
        if not isinstance(policy_file, (str, os.PathLike, list)):
            raise BadArgumentType("policy_file", policy_file, "the path of a pbt_policy_<trial_id>.txt")
        self.policy_file = policy_file if isinstance(policy_file, list) else os.path.expanduser(os.fspath(policy_file))
        self.config, self._schedule = schedule_in(self.policy_file)

    def build(self, inherited: Goal | None) -> Scheduler:
        """Return the policy."""
        del inherited
        from luthier.schedulers.replay import Replay

        return Replay(self._schedule, TIME)

    def build_for(self, inherited: Goal | None, population: int | None) -> Scheduler:
        """Return the policy.

        Raises:
            BadArgument: there is more than one trial.
        """
        if population != 1:
            raise BadArgument("num_samples", population, "1", "a schedule is gone through by one trial")
        return self.build(inherited)

    def furnished(self, param_space: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the config to begin with.

        Raises:
            BadArgument: there is none: the file is empty, and so is *param_space*.
        """
        if self.config is None:
            if not param_space:
                raise BadArgument(
                    "policy_file", self.policy_file, "a file with a schedule, or a param_space", "it is empty"
                )
            return param_space
        if param_space:
            log.warning("param_space is passed over: the trial begins with the config in %s.", self.policy_file)
        return self.config

    def check_trainable(self, trainable: Any) -> None:
        """See that a class can save itself.

        Raises:
            BadArgument: it cannot.
        """
        check_saves(trainable, type(self).__name__)

    def save_rule(self) -> SaveRule:
        """Return when class trainables save themselves: at each change."""
        from luthier.worker.saving import SaveRule

        return SaveRule(TIME, at=tuple(time for time, _ in self._schedule))

    def listeners(self, directory: str) -> Sequence[Recalling]:
        """Return what warns where the trial cannot change its config."""
        del directory
        if not self._schedule:
            return ()
        from luthier.callbacks.unfollowed import UnfollowedWatch

        return (
            UnfollowedWatch(TIME, self._schedule[0][0], "its config can only change where it has one to go on from"),
        )


def schedule_in(policy_file: str | list[Any]) -> tuple[Config | None, list[tuple[float, Config]]]:
    """Return the config that the schedule in *policy_file* begins with, and when which other one follows.

    Read from the end: a line is about the trial that the line after it went on from; where that is another one, what
    was before has been overwritten and does not count.

    Raises:
        BadArgument: there is no such file, or it is no policy file.
    """
    lines = _lines_of(policy_file)
    schedule: list[tuple[float, Config]] = []
    first, followed = None, None
    for target, source, _, at, old, new in reversed(lines):
        if followed is not None and target != followed:
            break
        followed, first = source, old
        schedule.append((at, new))
    schedule.reverse()
    for k in range(len(schedule) - 1, 0, -1):  # a change that was taken back before it was reached
        if schedule[k - 1][0] > schedule[k][0]:
            schedule[k - 1] = (schedule[k][0], schedule[k - 1][1])
    return first, schedule


def _lines_of(policy_file: str | list[Any]) -> list[_Line]:
    texts = policy_file if isinstance(policy_file, list) else _texts_of(policy_file)
    lines = []
    for n, text in enumerate(texts, 1):
        line = _parsed(text)
        if line is None:
            wanted = "a policy file, whose lines are JSON lists of six entries"
            raise BadArgument("policy_file", policy_file, wanted, f"line {n} is {str(text).strip()[:60]!r}")
        lines.append(line)
    return lines


def _texts_of(policy_file: str) -> list[str]:
    try:
        with open(policy_file, encoding="utf-8") as file:
            return [text for text in file if text.strip()]
    except FileNotFoundError:
        raise BadArgument("policy_file", policy_file, "a pbt_policy_<trial_id>.txt that exists") from None
    except (OSError, UnicodeDecodeError) as error:
        raise BadArgument("policy_file", policy_file, "a file that can be read", str(error)) from error


def _parsed(text: object) -> _Line | None:
    try:
        target, source, step, at, old, new = json.loads(text) if isinstance(text, str) else text  # type: ignore[misc]
    except (ValueError, TypeError):
        return None
    time = number(at)
    if not isinstance(old, dict) or not isinstance(new, dict) or time is None:
        return None
    return target, source, step, time, old, new
