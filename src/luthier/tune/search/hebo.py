"""HEBO as a search algorithm."""

from __future__ import annotations

import random
import sys
import warnings
from contextlib import contextmanager, redirect_stdout
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from luthier.core.errors import BadArgument, BadArgumentType, MissingLibrary
from luthier.core.space import Space
from luthier.search.distinct import Distinct
from luthier.search.library import Library
from luthier.tune.search.space_searcher import SpaceSearcher, only_goal

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from luthier.core.goal import Goal
    from luthier.search.known import Known


class HEBOSearch(SpaceSearcher):
    """HEBO: a Gaussian process with warped inputs and outputs, and several acquisition functions at once.

    Each proposal learns from all results so far; HEBO is asked for one point at a time, not for a batch.

    Args:
        space: what to search: domains of ours, or a ``DesignSpace`` of HEBO's, whose names may have ``/`` for dicts in
            dicts; the Tuner's ``param_space`` where None.
        metric: what is optimised; the Tuner's where None.
        mode: ``"min"`` or ``"max"``.
        points_to_evaluate: configs, or parts of such, to be tried first.
        evaluated_rewards: values of *points_to_evaluate* where they are known.
        random_state_seed: where chance starts.
        max_concurrent: how many trials may run at a time.
        **kwargs: what ``HEBO`` is made with: ``model_name``, ``rand_sample``, ``acq_cls``, ``es``, ``model_config``,
            ``scramble_seed``.

    Raises:
        MissingLibrary: HEBO is not installed.
        BadArgument: for an argument that cannot be used.

    Source: Cowen-Rivers et al., "HEBO: pushing the limits of sample-efficient hyper-parameter optimisation", JAIR 2022.
    """

    def __init__(
        self,
        space: Mapping[str, Any] | Any = None,
        metric: str | None = None,
        mode: str | None = None,
        points_to_evaluate: Sequence[Mapping[str, Any]] | None = None,
        evaluated_rewards: Sequence[Any] | None = None,
        random_state_seed: object = None,
        max_concurrent: int = 8,
        **kwargs: Any,
    ) -> None:
        _demand()
        _check(kwargs)
        self.max_concurrent = _most(max_concurrent)
        self.arguments = kwargs
        if space is not None and not isinstance(space, (dict, Space)) and not _is_design(space):
            raise BadArgumentType("space", space, "a dict of domains, or a DesignSpace of HEBO's")
        super().__init__(space, metric, mode, points_to_evaluate, evaluated_rewards, random_state_seed)

    def converted(self, space: Mapping[str, Any] | Any) -> Space:
        """Return *space*, which may be a design space of HEBO's, as a space of ours."""
        if not _is_design(space):
            return super().converted(space)
        from luthier.search.hebo_space import converted

        return converted(space)

    def set_max_concurrency(self, max_concurrent: int) -> bool:
        """Hear how many trials may run at a time."""
        self.max_concurrent = _most(max_concurrent)
        return True

    def policy(self, space: Space, goals: tuple[Goal, ...], known: Sequence[Known], seed: int) -> Library:
        """Return the policy."""
        from luthier.search.hebo import HeboStudy
        from luthier.search.hebo_space import Columns

        only_goal(goals, "HEBOSearch")
        study = HeboStudy(Columns(space), alone, known, seed, self.arguments)
        return Library(Distinct(study, space), seed, len(self.points_to_evaluate), self.max_concurrent)


def _demand() -> None:
    """See to it that HEBO can be imported; doing so changes nothing that others share.

    Raises:
        MissingLibrary: it cannot.
    """
    wanted = "hebo" if sys.version_info < (3, 12) else "hebo, which installs on Python 3.11 and not on later ones"
    if find_spec("hebo") is None:
        raise MissingLibrary("HEBOSearch", wanted, "hebo")
    try:
        with alone(0):
            import_module("hebo.optimizers.hebo")
    except ImportError as error:
        raise MissingLibrary("HEBOSearch", f"{wanted} ({error})", "hebo") from error


def _is_design(space: object) -> bool:
    from hebo.design_space.design_space import DesignSpace

    return isinstance(space, DesignSpace)


def _check(arguments: Mapping[str, Any]) -> None:
    from inspect import signature

    from hebo.optimizers.hebo import HEBO

    known = list(signature(HEBO).parameters)[1:]
    for name in arguments:
        if name not in known:
            raise BadArgumentType(name, arguments[name], f"an argument of HEBO's: {', '.join(known)}")


def _most(max_concurrent: object) -> int:
    if isinstance(max_concurrent, bool) or not isinstance(max_concurrent, int):
        raise BadArgumentType("max_concurrent", max_concurrent, "a whole number, at least 1")
    if max_concurrent < 1:
        raise BadArgument("max_concurrent", max_concurrent, "a whole number, at least 1")
    return max_concurrent


class _Unread:
    """Where HEBO prints each step of a fit that does not succeed at once."""

    def write(self, text: str) -> int:
        return len(text)

    def flush(self) -> None: ...


@contextmanager
def alone(seed: int) -> Iterator[None]:
    """Have all chance start at *seed*, on one thread; what everybody shares is as before in the end."""
    import numpy as np
    import torch

    threads, of_torch = torch.get_num_threads(), torch.get_rng_state()
    of_python, of_numpy = random.getstate(), np.random.get_state()  # noqa: NPY002 (HEBO draws from it)
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002 (as above)
    torch.manual_seed(seed)
    torch.set_num_threads(1)
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"), redirect_stdout(_Unread()):
            warnings.simplefilter("ignore")  # of what its dependencies call outdated
            yield
    finally:
        random.setstate(of_python)
        np.random.set_state(of_numpy)  # noqa: NPY002 (as above)
        torch.set_rng_state(of_torch)
        torch.set_num_threads(threads)
