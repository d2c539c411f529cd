"""The way that a trial's average went, and those of all trials side by side."""

from __future__ import annotations

from array import array
from bisect import bisect_left, insort

from luthier.core.goal import WORST
from luthier.schedulers.running_mean import RunningMean
from luthier.schedulers.spans import Spans, kth


class Course:
    """What one trial reported.

    Attributes:
        best: its best score so far.
        last: time of its last result; None before the first.
        furthest: the latest time that it ever had; later than *last* where it has begun again since.
        mean: running mean of its scores.
        times: the time of each of these scores, in the order of their coming.
        marks: times from which on its average was another; they increase.
        levels: the average from each of these times on.
    """

    __slots__ = ("best", "furthest", "last", "levels", "marks", "mean", "times")

    def __init__(self) -> None:
        self.best = WORST
        self.last: float | None = None
        self.furthest = -WORST
        self.mean = RunningMean()
        self.times = array("d")
        self.marks = array("d")
        self.levels = array("d")

    def mean_up_to(self, time: float) -> float:
        """Return the mean of the scores up to *time*, in the order of their coming."""
        early = [score for at, score in zip(self.times, self.mean.numbers, strict=True) if at <= time]
        return RunningMean(early).last


class Field:
    """The averages of all trials: how a number compares with those of the trials that have come as far.

    The average of a trial at a time is the mean of what it reported from *since* up to then.  It has one from its first
    such result on, up to its last; averages that are not finite do not count.  Where a trial begins again at an earlier
    time, it is only as far as that, and its average takes in all its attempts.

    Args:
        since: results before this time do not enter averages.

    >>> field = Field(since=1)
    >>> for trial, scores in enumerate([[3.0, 1.0], [5.0, 5.0]]):
    ...     course = Course()
    ...     for step, score in enumerate(scores, 1):
    ...         field.leave(course, step)
    ...         field.enter(course, step, score)
    >>> field.below(2, 4.0), field.median(2)
    ((1, 2), 3.5)
    """

    __slots__ = ("_ends", "_since", "_spans")

    def __init__(self, since: float) -> None:
        self._since = since
        self._spans = Spans()
        self._ends: dict[float, list[float]] = {}  # averages of the trials that are as far as that, and no further

    # -- who is where --------------------------------------------------------------------------------------------------
    def leave(self, course: Course, time: float) -> None:
        """Take a trial out of *time* and all that is later: it is about to report from there."""
        marks, levels = course.marks, course.levels
        if not marks:
            return
        end = self._ends[marks[-1]] if -WORST < levels[-1] < WORST else None
        if end is not None:
            if len(end) == 1:
                del self._ends[marks[-1]]
            else:
                del end[bisect_left(end, levels[-1])]
        while marks and marks[-1] >= time:
            until, _ = marks.pop(), levels.pop()
            if marks and -WORST < levels[-1] < WORST:
                self._spans.remove(marks[-1], until, levels[-1])

    def enter(self, course: Course, time: float, score: float) -> None:
        """Note that a trial has come to *time* with *score*, after it was taken out there."""
        before, course.last = course.last, time
        if score < course.best:  # noqa: PLR1730 (faster so)
            course.best = score
        if time < self._since:
            return
        mean = course.mean.add(score)
        course.times.append(time)
        if time < course.furthest:
            mean = course.mean_up_to(time)
        if before is not None and before < course.furthest:  # what it reported there in an attempt before
            for at in sorted({at for at in course.times if before < at < time}):
                self._mark(course, at, course.mean_up_to(at))
        course.furthest = max(course.furthest, time)
        self._mark(course, time, mean)
        if -WORST < mean < WORST:
            end = self._ends.get(time)
            if end is None:
                self._ends[time] = [mean]
            else:
                insort(end, mean)

    def _mark(self, course: Course, time: float, mean: float) -> None:
        marks, levels = course.marks, course.levels
        if marks and -WORST < levels[-1] < WORST:
            self._spans.add(marks[-1], time, levels[-1])
        marks.append(time)
        levels.append(mean)

    # -- comparing -----------------------------------------------------------------------------------------------------
    def below(self, time: float, score: float) -> tuple[int, int]:
        """Return how many averages at *time* are less than *score*, and how many there are."""
        less, count = self._spans.below(time, score)
        end = self._ends.get(time)
        if end is not None:
            less += bisect_left(end, score)
            count += len(end)
        return less, count

    def median(self, time: float) -> float:
        """Return the median of the averages at *time*; there must be one."""
        rows = [row for row in (*self._spans.rows(time), self._ends.get(time, ())) if row]
        middle, odd = divmod(sum(map(len, rows)), 2)
        if odd:
            return kth(rows, middle)
        low, high = kth(rows, middle - 1), kth(rows, middle)
        found = (low + high) / 2
        return found if -WORST < found < WORST else low / 2 + high / 2  # their sum is beyond all floats
