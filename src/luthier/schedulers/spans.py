"""Numbers that hold for a span of time: how many of those that hold at one moment are below a number."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right, insort
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

CROWD = 24  # loose spans in a cell from which it is divided


class Cell:
    """A stretch of time, from *low* to before *high*.

    Attributes:
        left: its earlier part, once it is divided.
        right: its later part.
        cover: numbers that hold all through it, and not all through the cell that it is a part of; the least first.
        loose: of a cell that is not divided: spans that begin or end within it.
    """

    __slots__ = ("cover", "high", "left", "loose", "low", "right")

    left: Cell | None
    right: Cell  # not there before it is divided

    def __init__(self, low: float, high: float) -> None:
        self.low, self.high = low, high
        self.left = None
        self.cover: list[float] = []
        self.loose: list[tuple[float, float, float]] = []


class Spans:
    """A set of spans, ``start <= time < end``, each with a number.

    It is a segment tree (Bentley, "Algorithms for Klee's rectangle problems", 1977) with a sorted list in each cell,
    which grows as times become known: cells double where time goes beyond them, and are halved where they are crowded,
    or cut where all that begins or ends in them does so at one moment.  With n spans, to add one and to ask are
    O(log^2 n) for times that are spread out; where spans begin and end at shared times (steps) it is one list for each.

    >>> spans = Spans()
    >>> spans.add(1.0, 3.0, 0.5)
    >>> spans.add(2.0, 4.0, 0.7)
    >>> spans.below(2.5, 0.6), spans.below(3.5, 0.6)
    ((1, 2), (0, 1))
    """

    __slots__ = ("_root",)

    def __init__(self) -> None:
        self._root: Cell | None = None

    # -- changing it ---------------------------------------------------------------------------------------------------
    def add(self, start: float, end: float, number: float) -> None:
        """Let *number* hold from *start* to before *end*: finite, not negative, and *start* < *end*."""
        for cell in self._cells(start, end):
            if start <= cell.low and end >= cell.high:
                insort(cell.cover, number)
            else:
                loose = cell.loose
                loose.append((start, end, number))
                if len(loose) > CROWD:
                    _divide(cell)

    def remove(self, start: float, end: float, number: float) -> None:
        """Take back one span that was added."""
        for cell in self._cells(start, end):
            if start <= cell.low and end >= cell.high:
                del cell.cover[bisect_left(cell.cover, number)]
            else:
                cell.loose.remove((start, end, number))

    def _cells(self, start: float, end: float) -> list[Cell]:
        """Return the cells that make up the span, the largest possible; it may fill only part of the first and last."""
        cell = self._root
        if cell is None or start < cell.low or end > cell.high:
            cell = self._grown(start, end)
        while True:  # down to where it forks
            left = cell.left
            if left is None or (start <= cell.low and end >= cell.high):
                return [cell]
            if end <= left.high:
                cell = left
            elif start >= left.high:
                cell = cell.right
            else:
                break
        cells: list[Cell] = []
        cell, right = left, cell.right
        while True:  # all from start on
            left = cell.left
            if left is None or start <= cell.low:
                cells.append(cell)
                break
            if start < left.high:
                cells.append(cell.right)
                cell = left
            else:
                cell = cell.right
        cell = right
        while True:  # all up to end
            left = cell.left
            if left is None or end >= cell.high:
                cells.append(cell)
                return cells
            if end > left.high:
                cells.append(left)
                cell = cell.right
            else:
                cell = left

    def _grown(self, start: float, end: float) -> Cell:
        """Return a root that holds the span: the one that is, doubled until it does."""
        root = self._root
        if root is None:
            size = 2.0 ** math.ceil(math.log2(end - start))
            root = Cell(math.floor(start / size) * size, math.floor(start / size) * size + size)
        while start < root.low or end > root.high:
            size = root.high - root.low
            if root.low % (2 * size):
                grown = Cell(root.low - size, root.high)
                grown.left, grown.right = Cell(root.low - size, root.low), root
            else:
                grown = Cell(root.low, root.high + size)
                grown.left, grown.right = root, Cell(root.high, root.high + size)
            root = grown
        self._root = root
        return root

    # -- asking it -----------------------------------------------------------------------------------------------------
    def below(self, time: float, number: float) -> tuple[int, int]:
        """Return how many of the numbers that hold at *time* are less than *number*, and how many hold."""
        less = count = 0
        cell = self._root
        if cell is None or not cell.low <= time < cell.high:
            return 0, 0
        while True:
            cover = cell.cover
            if cover:
                count += len(cover)
                less += bisect_left(cover, number)
            left = cell.left
            if left is None:
                break
            cell = left if time < left.high else cell.right
        for start, end, value in cell.loose:
            if start <= time < end:
                count += 1
                if value < number:
                    less += 1
        return less, count

    def rows(self, time: float) -> Iterator[Sequence[float]]:
        """Return the numbers that hold at *time*, in rows that are sorted each."""
        cell = self._root
        if cell is None or not cell.low <= time < cell.high:
            return
        while (left := cell.left) is not None:
            yield cell.cover
            cell = left if time < left.high else cell.right
        yield cell.cover
        yield sorted(value for start, end, value in cell.loose if start <= time < end)


def kth(rows: Sequence[Sequence[float]], k: int) -> float:
    """Return the number that would be at *k* (from 0) if the sorted *rows* were merged into one.

    >>> kth([[1.0, 4.0], [2.0, 3.0]], 2)
    3.0
    """
    lows, highs = [0] * len(rows), [len(row) for row in rows]
    while True:
        widest = max(range(len(rows)), key=lambda i: highs[i] - lows[i])
        pivot = rows[widest][(lows[widest] + highs[widest]) // 2]
        ends = [bisect_right(row, pivot, lows[i], highs[i]) for i, row in enumerate(rows)]
        if k >= sum(ends):
            lows = ends
            continue
        starts = [bisect_left(row, pivot, lows[i], highs[i]) for i, row in enumerate(rows)]
        if k >= sum(starts):
            return pivot
        highs = starts


def _divide(cell: Cell) -> None:
    """Halve a crowded cell, or cut it where all that is loose in it begins or ends; then its parts, if crowded."""
    crowded = [cell]
    while crowded:
        cell = crowded.pop()
        low, high, loose = cell.low, cell.high, cell.loose
        middle = (low + high) / 2
        if (only := _only_moment(cell)) is not None and high - low <= 2 * min(end - start for start, end, _ in loose):
            middle = only  # in a wider cell, others are likely to come
        cell.left, cell.right = left, right = Cell(low, middle), Cell(middle, high)
        cell.loose = []
        for span in loose:
            start, end, number = span
            if start < middle:
                if start <= low and end >= middle:
                    left.cover.append(number)
                else:
                    left.loose.append(span)
            if end > middle:
                if start <= middle and end >= high:
                    right.cover.append(number)
                else:
                    right.loose.append(span)
        for part in (left, right):
            part.cover.sort()
            if len(part.loose) > CROWD:
                crowded.append(part)


def _only_moment(cell: Cell) -> float | None:
    """Return the moment at which all that is loose in *cell* begins or ends, if there is but one."""
    found = None
    for span in cell.loose:
        for time in span[:2]:
            if cell.low < time < cell.high and time != found:
                if found is not None:
                    return None
                found = time
    return found
