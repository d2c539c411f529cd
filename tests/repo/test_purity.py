"""Core, search and schedulers are pure.

import-linter forbids the modules (`make imports`); here the source is read as well, which also shows what needs no
import: open, input, print, exec.
"""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2] / "src" / "luthier"
PURE = sorted(path for package in ("core", "search", "schedulers") for path in (SOURCE / package).rglob("*.py"))

# Of the standard library: only what computes.
COMPUTES = {
    "__future__", "abc", "array", "ast", "bisect", "collections", "contextlib", "copy", "dataclasses", "difflib",
    "enum", "fractions", "functools", "hashlib", "heapq", "importlib", "inspect", "itertools", "keyword", "math",
    "numbers", "operator", "re", "reprlib", "statistics", "string", "struct", "textwrap", "traceback", "types",
    "typing", "warnings",
}  # fmt: skip
TOUCHES = {"open", "input", "print", "exec", "eval", "breakpoint", "__import__"}


def impurities(source: str) -> list[str]:
    """Return what in *source* reaches outside, as ``line: what``."""
    found = []
    for node in ast.walk(ast.parse(source)):
        line = getattr(node, "lineno", 0)
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module]
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in TOUCHES:
            found.append(f"{line}: {node.func.id}()")
        elif isinstance(node, ast.Global):
            found.append(f"{line}: global {', '.join(node.names)}")
        for name in names:
            root = name.split(".")[0]
            if root in sys.stdlib_module_names and root not in COMPUTES:
                found.append(f"{line}: import {name}")
            if name.startswith("numpy.random"):
                found.append(f"{line}: import {name}")
    return found


@pytest.mark.parametrize("path", PURE, ids=lambda path: str(path.relative_to(SOURCE)))
def test_pure(path):
    assert not impurities(path.read_text("utf-8"))


@pytest.mark.parametrize(
    "source",
    ["import time", "from os import path", "def f():\n    import random", "print(1)", "open('x')", "global x"],
)
def test_impurity_is_seen(source):
    assert impurities(source)
