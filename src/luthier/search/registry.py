"""Which searcher goes by which name; imported when asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

SEARCHERS: Mapping[str, str] = {
    "variant_generator": "luthier.search.variants:Variants",
    "random": "luthier.search.variants:Variants",
    "grid": "luthier.search.variants:Variants",
    "bohb": "luthier.search.bohb:Bohb",
    "tpe": "luthier.search.tpe:Tpe",
    "sobol": "luthier.search.quasirandom:QuasiRandom",
    "quasirandom": "luthier.search.quasirandom:QuasiRandom",
    "evolution": "luthier.search.evolution:Evolution",
    "cmaes": "luthier.search.cmaes:Cmaes",
    "gp": "luthier.search.gp:Gp",
    "auto": "luthier.search.auto:Auto",
}
