"""What scripts import from ``ray.tune.utils``: nested dicts, dates, and checks of trainables and GPUs."""

from __future__ import annotations

from luthier.tune.utils.gpu import wait_for_gpu
from luthier.tune.utils.nested import (
    date_str,
    deep_update,
    flatten_dict,
    merge_dicts,
    unflatten_dict,
    unflattened_lookup,
)
from luthier.tune.utils.save_restore import validate_save_restore

__all__ = [
    "date_str",
    "deep_update",
    "flatten_dict",
    "merge_dicts",
    "unflatten_dict",
    "unflattened_lookup",
    "validate_save_restore",
    "wait_for_gpu",
]
