from __future__ import annotations

import functools
import pickle
import threading

import pytest

from luthier.core.errors import BadArgument
from luthier.worker.picklable import explain_unpicklable, pickled

lock = threading.Lock()
nested = {"a": [1, {"b": lock}]}


class Holder:
    def __init__(self, **attributes):
        self.__dict__.update(attributes)

    def method(self, config):
        return self

    def __call__(self, config):
        return 1


def by_value(source: str) -> object:
    """Return what *source* defines as f, as a script would: its globals travel with it."""
    namespace = {"__name__": "__main__", "lock": lock, "nested": nested, "Holder": Holder}
    exec(source, namespace)
    return namespace["f"]


@pytest.mark.parametrize(
    ("trainable", "words"),
    [
        (by_value("def f(config):\n    with lock: return 1"), "f uses the global 'lock' (a _thread.lock)"),
        (
            by_value("def f(config):\n    def inner():\n        return lock\n    return inner"),
            "f uses the global 'lock' (a _thread.lock)",
        ),
        (
            by_value("def g():\n    return nested\ndef f(config):\n    return g()"),
            (
                "f uses the global 'g' (the function g), which uses the global 'nested' (a dict), "
                "which holds ['a'] (a list), which holds [1] (a dict), which holds ['b'] (a _thread.lock)"
            ),
        ),
        (by_value("f = lambda config, l=lock: l"), "the lambda function has the default argument 'l' (a _thread.lock)"),
        (by_value("def f(config, *, l=lock): pass"), "f has the default argument 'l' (a _thread.lock)"),
        (
            by_value("class f:\n    def step(self):\n        return lock"),
            "f has the method 'step', which uses the global 'lock' (a _thread.lock)",
        ),
        (by_value("class f:\n    guard = lock"), "f has the attribute 'guard' (a _thread.lock)"),
        (Holder(x=1, guard=lock), "the Holder has the attribute 'guard' (a _thread.lock)"),
        (
            Holder(guard=lock).method,
            (
                "method belongs to an object (a tests.worker.test_picklable.Holder), "
                "which has the attribute 'guard' (a _thread.lock)"
            ),
        ),
        (functools.partial(print, guard=lock), "the partial has the argument 'guard' (a _thread.lock)"),
    ],
)
def test_the_culprit_is_named(trainable, words):
    assert explain_unpicklable(trainable) == f"{words}, which cannot be pickled"
    with pytest.raises(BadArgument, match="trainable="):
        pickled(trainable)


def test_what_holds_itself_is_no_trap():
    holder = Holder(guard=lock)
    holder.me = holder  # type: ignore[attr-defined]
    assert "'guard' (a _thread.lock)" in explain_unpicklable(holder)


def test_what_can_be_pickled_is():
    assert pickle.loads(pickled(by_value("def f(config):\n    return 2")))({}) == 2
