from __future__ import annotations

import random
import subprocess
import sys

import numpy as np
import pytest

from luthier.worker.seeding import seeded


def both():
    return random.random(), float(np.random.random())  # noqa: NPY002 (the global generator is what is seeded)


def draws(seed):
    with seeded(seed, restore=True):
        return both()


def test_the_seed_decides():
    assert draws(1) == draws(1)
    assert draws(1) != draws(2)
    assert draws(None) != draws(None)


def test_the_generators_are_put_back():
    random.seed(5)
    np.random.seed(5)  # noqa: NPY002 (as above)
    expected = both()
    random.seed(5)
    np.random.seed(5)  # noqa: NPY002 (as above)
    draws(1)
    assert both() == expected
    assert not any(type(finder).__name__ == "_Sower" for finder in sys.meta_path)


SCRIPT = """
import sys
from luthier.worker.seeding import seeded
assert "numpy" not in sys.modules
with seeded(7):
    import numpy as np
    from numpy import random
    assert np.random.__spec__.loader.__class__.__name__ == "SourceFileLoader"
    print(random.random())
    assert len([f for f in sys.meta_path if type(f).__name__ == "_Sower"]) == 1  # torch may still come
assert not [f for f in sys.meta_path if type(f).__name__ == "_Sower"]
"""


@pytest.mark.parametrize("attempt", [1, 2])
def test_what_is_imported_later_is_seeded_too(attempt):
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True)
    assert float(done.stdout) == np.random.RandomState(7).random_sample()


def test_an_import_that_is_not_ours_to_see():
    with seeded(1), pytest.raises(ModuleNotFoundError):
        import luthier_has_no_such_module  # type: ignore[import-not-found]  # noqa: F401
