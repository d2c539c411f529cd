"""Where an experiment's trainable comes from, so that a command can find it again."""

from __future__ import annotations

import ast
import importlib
import os
import sys
import types
from typing import TYPE_CHECKING, Any

from luthier.core.errors import BadArgument
from luthier.tune import kit

if TYPE_CHECKING:
    from luthier.store.card import ExperimentCard

PART = "source"  # of the kit


def source_of(trainable: Any) -> dict[str, Any]:
    """Return where *trainable* can be found again: its module or script, its name in it, and the search path.

    The name is empty where the module holds something else under it: a lambda, a function of a function, or one that
    was furnished with parameters and is not what its own name says.

    >>> import json
    >>> source = source_of(json.dumps)
    >>> source["module"], source["qualname"]
    ('json', 'dumps')
    """
    module = getattr(trainable, "__module__", None) or ""
    qualname = getattr(trainable, "__qualname__", None) or ""
    if _looked_up(sys.modules.get(module), qualname) is not trainable:
        qualname = ""
    script = getattr(sys.modules.get("__main__"), "__file__", None) if module == "__main__" else None
    paths = [os.path.abspath(entry) for entry in sys.path if isinstance(entry, str)]
    return {"module": module, "qualname": qualname, "script": os.path.abspath(script) if script else "", "paths": paths}


def found_again(directory: str, card: ExperimentCard) -> tuple[Any, str]:
    """Return the trainable of the experiment in *directory*, and from where it was taken, in words.

    That is the module or the script that it was defined in, as these are now; or else the copy that was kept with the
    experiment, as it was then.  A script is only run where all that it does is under ``if __name__ == "__main__":``.

    Raises:
        BadArgument: it is in neither place.
    """
    parts = kit.load(directory, (PART,))
    source = parts.get(PART) or {"module": "", "qualname": "", "script": "", "paths": []}
    _add_paths(source["paths"])
    why = "it is not the module's own name for it"
    if source["qualname"]:
        try:
            if source["module"] == "__main__":
                return from_script(source["script"], source["qualname"]), f"{source['script']}:{source['qualname']}"
            module = importlib.import_module(source["module"])
            found = _looked_up(module, source["qualname"])
            if found is not None:
                return found, f"{source['module']}:{source['qualname']}"
            why = f"{source['module']} has no {source['qualname']} any more"
        except BadArgument as error:
            why = error.why
        except (Exception, SystemExit) as error:  # noqa: BLE001 (whatever the module does when it is imported)
            why = f"{type(error).__name__}: {error}"
    kept = kit.load(directory, (kit.TRAINABLE,))
    if kit.TRAINABLE in kept:
        return kept[kit.TRAINABLE], f"the copy that was kept with the experiment ({why})"
    raise BadArgument(
        "trainable",
        card.trainable,
        "--trainable MODULE:NAME, or go on in Python with Tuner.restore(path, trainable)",
        f"it cannot be imported ({why}), and no copy of it was kept",
    )


def named(place: str) -> Any:
    """Return the trainable at *place*: ``module:name``, or ``path/to/script.py:name``.

    Raises:
        BadArgument: there is none.

    >>> named("json:dumps").__name__
    'dumps'
    """
    module, colon, name = place.rpartition(":")
    wanted = "MODULE:NAME, such as project.train:train, or train.py:train"
    if not colon or not module or not name:
        raise BadArgument("trainable", place, wanted)
    _add_paths([os.getcwd()])
    try:
        if module.endswith(".py"):
            return from_script(module, name)
        found = _looked_up(importlib.import_module(module), name)
    except BadArgument:
        raise
    except (Exception, SystemExit) as error:
        raise BadArgument("trainable", place, wanted, f"{type(error).__name__}: {error}") from error
    if found is None:
        raise BadArgument("trainable", place, wanted, f"{module} has no {name}")
    return found


def from_script(path: str, name: str) -> Any:
    """Return what the script at *path* calls *name*, without running what is under ``if __name__ == "__main__":``.

    It becomes ``__main__`` here, as it was where it was run: what was pickled there is found.

    Raises:
        BadArgument: it has no such name, or it does more than define things.
    """
    wanted = "a script that tunes under `if __name__ == '__main__':`, or MODULE:NAME"
    with open(path, "rb") as file:
        text = file.read()
    line = _tunes_when_imported(ast.parse(text, path))
    if line:
        raise BadArgument("trainable", f"{path}:{name}", wanted, f"line {line} of the script would tune once more")
    _add_paths([os.path.dirname(os.path.abspath(path))])
    module = types.ModuleType("__mp_main__")  # what multiprocessing calls a script that is not run but imported
    module.__file__ = path
    exec(compile(text, path, "exec"), module.__dict__)  # noqa: S102 (the user's own script)
    for thing in vars(module).values():
        if getattr(thing, "__module__", None) == module.__name__ and isinstance(thing, types.FunctionType | type):
            thing.__module__ = "__main__"
    module.__name__ = "__main__"
    found = _looked_up(module, name)
    if found is None:
        raise BadArgument("trainable", f"{path}:{name}", wanted, f"{path} has no {name}")
    sys.modules["__main__"] = module
    return found


def _tunes_when_imported(tree: ast.Module) -> int:
    """Return the first line outside of functions and of the guard that calls ``fit`` or ``run``; 0 for none."""
    for statement in tree.body:
        if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            continue
        if isinstance(statement, ast.If) and "__name__" in ast.dump(statement.test):
            continue
        for node in ast.walk(statement):
            if isinstance(node, ast.Call):
                called = node.func
                name = getattr(called, "attr", None) or getattr(called, "id", None)
                if name in ("fit", "run", "main"):
                    return node.lineno
    return 0


def _looked_up(module: object, qualname: str) -> Any:
    """Return what *module* calls *qualname*, or None."""
    found: Any = module
    for part in qualname.split("."):
        found = getattr(found, part, None)
    return None if found is module else found


def _add_paths(paths: list[str]) -> None:
    for path in paths:
        if path not in sys.path and os.path.exists(path):
            sys.path.append(path)
