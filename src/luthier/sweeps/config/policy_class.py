"""Classes that write search algorithms and schedulers into a sweep's file, one made for each row of a table."""

from __future__ import annotations

import json
import os
import sys
from inspect import Parameter
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, ClassVar

from luthier.core.errors import BadArgument
from luthier.sweeps.calls import Call, encode
from luthier.sweeps.domains import call_of
from luthier.sweeps.policies import SCHEDULERS, SEARCHERS, Policy
from luthier.sweeps.policy_form import scheduler_in, search_in, space_in_own_words
from luthier.sweeps.signatures import bound

if TYPE_CHECKING:
    from collections.abc import Sequence

PACKAGE = "luthier.sweeps.config.tune"


class Written(Call):
    """A search algorithm or scheduler with its arguments, which are those of the class of this name in Luthier.

    Raises:
        BadArgument: it does not take them, or a file cannot say them.
    """

    __slots__ = ()
    policy: ClassVar[Policy]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        policy = self.policy
        given = bound(policy.title, policy.signature, args, kwargs)
        given = {name: value for name, value in given.items() if value is not None}
        if "metric" in given and "mode" not in given:
            raise BadArgument(f"{policy.title}.mode", None, "'min' or 'max'", "metric is given")
        if policy.space in given:
            given[policy.space] = space_in_own_words(policy.title, given[policy.space])
        if isinstance(given.get("policy_file"), (str, os.PathLike)):
            given["policy_file"] = _lines(given["policy_file"])
        for name in ("searcher", "base_scheduler"):
            if name in given:
                given[name] = policy_written(f"{policy.title}.{name}", given[name])
        super().__init__(policy.written, **given)
        said = encode(self, "", call_of)
        search_in(said) if policy in SEARCHERS else scheduler_in(said, ())


def _lines(path: str | os.PathLike[str]) -> list[Any]:
    """Return the lines of a policy file, which goes into the sweep's file: a server reads none of its user's."""
    try:
        texts = Path(path).expanduser().read_text("utf-8").splitlines()
        return [json.loads(text) for text in texts]
    except (OSError, ValueError) as error:
        raise BadArgument("policy_file", path, "a pbt_policy_<trial_id>.txt", str(error)) from error


def _class_of(policy: Policy) -> type[Written]:
    package = "search" if policy in SEARCHERS else "schedulers"
    takes = [each.replace(kind=each.kind) for each in policy.signature.parameters.values()]
    names = ", ".join(each.name for each in takes if each.kind is not Parameter.VAR_KEYWORD)
    doc = f"{policy.about}\n\nTakes {names or 'nothing'}.\nWhat they mean: ``luthier.tune.{package}``, {policy.title}."
    body = {
        "__slots__": (),
        "__doc__": doc,
        "__module__": f"{PACKAGE}.{package}.{policy.module}",
        "__signature__": policy.signature,
        "policy": policy,
    }
    return type(policy.title, (Written,), body)


CLASSES = {policy.title: _class_of(policy) for policy in (*SEARCHERS, *SCHEDULERS)}


def publish(package: str, policies: Sequence[Policy]) -> list[str]:
    """Make modules of *policies* in *package*, which is being imported; return the names of their classes.

    ``luthier.sweeps.config.tune.suggest.hyperopt`` is such a module: nothing but the class would be in its file.
    """
    parent = sys.modules[package]
    for policy in policies:
        name = f"{package}.{policy.module}"
        module = sys.modules.get(name)
        if module is None:
            module = ModuleType(name, f"{policy.title}, for sweeps.")
            module.__package__ = package
            module.__dict__["__all__"] = []
            sys.modules[name] = module
            setattr(parent, policy.module, module)
        made = CLASSES[policy.title]
        setattr(module, policy.title, made)
        setattr(parent, policy.title, made)
        module.__dict__["__all__"].append(policy.title)
    return [policy.title for policy in policies]


def policy_written(argument: str, given: Any) -> Any:
    """Return *given*, a search algorithm or scheduler: one of ours, or a name.

    Raises:
        BadArgument: it is the class, or from elsewhere.
    """
    if given is None or isinstance(given, (str, Call)):
        return given
    if isinstance(given, type):
        raise BadArgument(argument, given, f"an object: {given.__name__}(...)", "that is the class")
    title = type(given).__name__
    kind = "schedulers" if "scheduler" in argument else "search"
    wanted = f"one of {PACKAGE}.{kind}, or a name"
    if title in CLASSES:
        wanted = f"{title} of {CLASSES[title].__module__}"
    raise BadArgument(argument, given, wanted, "a file cannot say what this object is made of")
