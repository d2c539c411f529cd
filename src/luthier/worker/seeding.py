"""One seed for all the generators that a trainable may draw from."""

from __future__ import annotations

import contextlib
import random
import sys
from importlib.abc import Loader, MetaPathFinder
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType

_LATE: dict[str, Callable[[Any, int], object]] = {  # modules with a generator of their own, and how it is seeded
    "numpy.random": lambda module, seed: module.seed(seed),
    "torch": lambda module, seed: module.manual_seed(seed),
}


@contextlib.contextmanager
def seeded(seed: int | None, *, restore: bool = False) -> Iterator[None]:
    """Seed ``random``, numpy and torch with *seed* (32 bits) for as long as this lasts; nothing where None.

    Nothing is imported for it: numpy and torch are seeded when they are imported, if that is later.  With *restore*
    the generators of ``random`` and numpy are put back to where they were: the process is not the trial's own.
    """
    if seed is None:
        yield
        return
    put_back = _states() if restore else []
    random.seed(seed)
    missing = False
    for name, sow in _LATE.items():
        module = sys.modules.get(name)
        if module is None:
            missing = True
        elif not getattr(getattr(module, "__spec__", None), "_initializing", False):
            sow(module, seed)
    if missing:
        _Sower.place(seed)
    try:
        yield
    finally:
        if missing:
            _Sower.place(None)
        for back in put_back:
            back()


def _states() -> list[Callable[[], object]]:
    state = random.getstate()
    states: list[Callable[[], object]] = [lambda: random.setstate(state)]
    numpy_random = sys.modules.get("numpy.random")
    if numpy_random is not None:
        numpy_state = numpy_random.get_state()
        states.append(lambda: numpy_random.set_state(numpy_state))
    return states


class _Sower(MetaPathFinder):
    """Sees modules being imported, and seeds those that have a generator."""

    def __init__(self) -> None:
        self.seed = 0

    @classmethod
    def place(cls, seed: int | None) -> None:
        """Seed what comes later with *seed*; nothing more where None."""
        sower = next((finder for finder in sys.meta_path if isinstance(finder, cls)), None)
        if seed is None:
            if sower is not None:
                sys.meta_path.remove(sower)
            return
        if sower is None:
            sower = cls()
            sys.meta_path.insert(0, sower)
        sower.seed = seed

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return the module's own spec, with a loader that seeds after loading; None for all others."""
        if fullname not in _LATE:
            return None
        for finder in sys.meta_path:
            if finder is self or not hasattr(finder, "find_spec"):
                continue
            spec = finder.find_spec(fullname, path, target)
            if spec is not None:
                if spec.loader is not None and hasattr(spec.loader, "exec_module"):
                    spec.loader = _SowingLoader(spec.loader, _LATE[fullname], self)
                return spec
        return None


class _SowingLoader(Loader):
    def __init__(self, loader: Any, sow: Callable[[Any, int], object], sower: _Sower) -> None:
        self._loader, self._sow, self._sower = loader, sow, sower

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        module: ModuleType | None = self._loader.create_module(spec)
        return module

    def exec_module(self, module: ModuleType) -> None:
        if module.__spec__ is not None:
            module.__spec__.loader = self._loader
        module.__loader__ = self._loader
        self._loader.exec_module(module)
        self._sow(module, self._sower.seed)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)
