"""Weights & Biases: one process beside the experiment follows its log and tells W&B.

Neither the driver nor the trials do any of that work: what they have to do with it is that the log is written anyway.
"""

from __future__ import annotations
