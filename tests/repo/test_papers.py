"""README, changelog, Makefile, pyproject and decisions: what they say is so."""

from __future__ import annotations

import importlib
import importlib.metadata
import re
import tomllib
from importlib.util import find_spec
from itertools import chain
from pathlib import Path

import pytest

import luthier

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text("utf-8")
PYPROJECT = (ROOT / "pyproject.toml").read_text("utf-8")
MAKEFILE = (ROOT / "Makefile").read_text("utf-8")
ROWS = re.findall(r"^\| .+ \| `(luthier\.[\w.]+)` \| (\w+) \|$", README, re.MULTILINE)


def exists(module: str) -> bool:
    """Return whether *module* can be found, whichever of its parents are missing."""
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:
        return False


# -- README ------------------------------------------------------------------------------------------------------------


def test_the_table_is_read():
    assert len(ROWS) >= 10 and {state for _, state in ROWS} <= {"works", "planned"}


@pytest.mark.parametrize("module", [module for module, state in ROWS if state == "works"])
def test_what_works_can_be_imported(module):
    importlib.import_module(module)


def test_what_is_planned_is_not_there():
    there = [module for module, state in ROWS if state == "planned" and exists(module)]
    assert not there, f"{there} exist: README still calls them planned"


def test_every_package_has_a_row():
    packages = {path.parent.name for path in (ROOT / "src" / "luthier").glob("*/__init__.py")}
    named = {module.split(".")[1] for module, state in ROWS if state == "works"}
    assert packages <= named, f"README's table lacks {sorted(packages - named)}"


@pytest.mark.parametrize("paper", ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"])
def test_links_lead_somewhere(paper):
    for target in re.findall(r"\]\(([^)#]+)\)", (ROOT / paper).read_text("utf-8")):
        assert target.startswith("https://") or (ROOT / target).exists(), f"{paper}: {target}"


@pytest.mark.parametrize("paper", ["README.md", "CONTRIBUTING.md", *sorted(p.name for p in ROOT.glob("docs/*.md"))])
def test_targets_that_are_named_exist(paper):
    path = ROOT / paper if (ROOT / paper).exists() else ROOT / "docs" / paper
    for target in re.findall(r"`make ([a-z]+)", path.read_text("utf-8")):
        assert re.search(rf"^{target}:", MAKEFILE, re.MULTILINE), f"{paper}: make {target}"


# -- Makefile, .ci/run -------------------------------------------------------------------------------------------------


def test_help_lists_every_target():
    phony = set(re.search(r"^\.PHONY: (.+)$", MAKEFILE, re.MULTILINE)[1].split())
    listed = set(re.findall(r"^([a-z-]+):.*## ", MAKEFILE, re.MULTILINE))
    assert phony == listed


def test_ci_runs_what_contributing_says():
    script = (ROOT / ".ci" / "run").read_text("utf-8")
    assert (ROOT / ".ci" / "run").stat().st_mode & 0o100
    for check in ("test", "lint", "types", "imports", "docs"):
        assert re.search(rf"\b{check}\b", script)


# -- changelog and decisions -------------------------------------------------------------------------------------------


def test_changelog_has_room_for_what_comes():
    changelog = (ROOT / "CHANGELOG.md").read_text("utf-8")
    assert re.search(r"^## \[Unreleased\]$", changelog, re.MULTILINE)
    headings = re.findall(r"^### (.+)$", changelog, re.MULTILINE)
    assert set(headings) <= {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}


def test_decisions_are_numbered_and_titled():
    pages = sorted((ROOT / "docs" / "decisions").glob("[0-9]*.md"))
    for number, page in enumerate(pages, 1):
        assert re.match(r"\d{4}-[a-z0-9-]+$", page.stem) and int(page.stem[:4]) == number, page.name
        assert page.read_text("utf-8").startswith("# "), f"{page.name} has no title"


# -- pyproject ---------------------------------------------------------------------------------------------------------


def test_version_is_one():
    assert importlib.metadata.version("luthier") == luthier.__version__


def test_dependencies_are_ranges():
    project = tomllib.loads(PYPROJECT)["project"]
    for requirement in chain(project["dependencies"], *project["optional-dependencies"].values()):
        assert "==" not in requirement and "@" not in requirement, requirement
        assert requirement.startswith("luthier[") or ">=" in requirement, f"{requirement}: since when?"


def test_all_is_every_extra_for_users():
    extras = tomllib.loads(PYPROJECT)["project"]["optional-dependencies"]
    named = {name for item in extras["all"] for name in re.search(r"\[(.+)\]", item)[1].split(",")}
    alone = {"nevergrad", "hebo"}  # they want releases of others that the rest does not go with
    assert named == set(extras) - {"all", "dev", "docs", "test", "pinned"} - alone


def test_exceptions_to_lint_are_argued():
    section = re.search(r"^\[tool\.ruff\.lint\]$(.+?)^\[tool\.ruff\.lint\.f", PYPROJECT, re.MULTILINE | re.DOTALL)[1]
    rules = [line for line in section.splitlines() if re.match(r'\s+"[A-Z]+\d*",', line)]
    assert len(rules) > 10
    for line in rules:
        assert re.search(r"# \w", line), f"why? {line.strip()}"


def test_noqa_and_type_ignores_name_their_rule():
    for path in sorted((ROOT / "src").rglob("*.py")):
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
            assert not re.search(r"# noqa(?!: [A-Z]+\d+)", line), f"{path}:{number}"
            assert not re.search(r"# type: ignore(?!\[)", line), f"{path}:{number}"
