"""scikit-learn: searches with its interface, run by Luthier.

Needs ``pip install 'luthier[sklearn]'``.
"""

from __future__ import annotations

from luthier.tune.installed import demand

demand("luthier.tune.integration.sklearn", "sklearn", "sklearn")

from luthier.tune.integration.sklearn.search import TuneGridSearchCV, TuneSearchCV  # noqa: E402 (as above)

__all__ = ["TuneGridSearchCV", "TuneSearchCV"]
