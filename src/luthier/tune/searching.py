"""From what a user says of search to the core's searcher."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from luthier.core.errors import BadArgument, BadArgumentType
from luthier.tune.search.basic_variant import BasicVariantGenerator

if TYPE_CHECKING:
    from luthier.core.policy import Searcher
    from luthier.core.space import Space


def searcher_of(search_alg: Any, space: Space, num_samples: int, seed: int) -> Searcher:
    """Return the searcher that *search_alg* (an object, a name, or None) describes over *space*.

    Raises:
        BadArgument: it is unknown.
    """
    chosen = described(search_alg)
    if isinstance(chosen, BasicVariantGenerator):
        return chosen.build(space, num_samples, seed)
    searcher: Searcher = chosen
    return searcher


def described(search_alg: Any) -> Any:
    """Return the description that *search_alg* stands for: random search where it is None, or by its name."""
    if search_alg is None:
        return BasicVariantGenerator()
    if isinstance(search_alg, str):
        return create_searcher(search_alg)
    if isinstance(search_alg, BasicVariantGenerator):
        return search_alg
    if callable(getattr(search_alg, "ask", None)) and callable(getattr(search_alg, "tell", None)):
        return search_alg
    raise BadArgumentType(
        "search_alg", search_alg, "a BasicVariantGenerator, an object with ask and tell, or one of " + _known()
    )


def create_searcher(search_alg: str, **arguments: Any) -> BasicVariantGenerator:
    """Return the searcher of that name.

    Raises:
        BadArgument: there is none.

    >>> type(create_searcher("random")).__name__
    'BasicVariantGenerator'
    """
    if not isinstance(search_alg, str) or search_alg.lower() not in _BY_NAME:
        raise BadArgument("search_alg", search_alg, f"one of {_known()}")
    return _BY_NAME[search_alg.lower()](**arguments)


_BY_NAME = {"variant_generator": BasicVariantGenerator, "random": BasicVariantGenerator, "grid": BasicVariantGenerator}


def _known() -> str:
    return ", ".join(sorted(_BY_NAME))
