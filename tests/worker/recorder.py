from __future__ import annotations

from luthier.core.terms import Verdict


class Recorder:
    """A channel that keeps what it was told, and gives the verdicts that it was given."""

    def __init__(self, *verdicts):
        self.reports = []
        self.verdicts = list(verdicts)

    def tell(self, report):
        self.reports.append(report)
        return self.verdicts.pop(0) if self.verdicts else Verdict.CONTINUE

    @property
    def metrics(self):
        return [report.metrics for report in self.reports]
