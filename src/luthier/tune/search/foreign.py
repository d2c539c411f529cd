"""Domains of other libraries in a search space: whose they are, and who can read them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from luthier.core.errors import BadArgument
from luthier.core.space import Path, spelled

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

# By the module that their classes come from: who reads them.
_READERS = {
    "hyperopt.pyll": "HyperOptSearch",
    "optuna.distributions": "OptunaSearch",
    "bayes_opt.parameter": "BayesOptSearch",
    "skopt.space": "SkOptSearch",
    "ConfigSpace": "TuneBOHB(space=...), which takes a whole ConfigurationSpace",
}


class Foreign(NamedTuple):
    """A domain of another library's.

    Attributes:
        path: where it is.
        domain: what is there.
        reader: who can read it.
    """

    path: Path
    domain: Any
    reader: str


def foreign(node: Any, path: Path = ()) -> Iterator[Foreign]:
    """Yield what in *node*, dicts and lists of any depth, is a domain of another library's."""
    if isinstance(node, dict):
        for key, item in node.items():
            yield from foreign(item, (*path, key))
    elif isinstance(node, (list, tuple)):
        for place, item in enumerate(node):
            yield from foreign(item, (*path, place))
    else:
        module = type(node).__module__
        for origin, reader in _READERS.items():
            if module == origin or module.startswith(f"{origin}."):
                yield Foreign(path, node, reader)


def refuse_foreign(space: Mapping[str, Any], who: str) -> None:
    """Complain of the first domain of another library's in *space*: each trial would get it as it is.

    Raises:
        BadArgument: there is one, and *who* does not read it.

    >>> refuse_foreign({"x": [1, 2]}, "TPESearch")
    """
    for found in foreign(space):
        wanted = f"a domain of tune's, or search_alg={found.reader}"
        why = f"{who} does not read domains of {type(found.domain).__module__.partition('.')[0]}"
        raise BadArgument(spelled(found.path), found.domain, wanted, why)
