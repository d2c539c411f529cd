"""The tree: sizes and names of files, and words that do not belong into any of them."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = sorted((ROOT / "src" / "luthier").rglob("*.py"))

LONGEST = 400
# Longer files, each with its reason. None so far: a longer file is usually two nouns.
LONG: dict[str, str] = {}

# Names that say nothing about what a thing is.
HOLLOW = re.compile(r"(^|_)(manager|helpers?|utils?|wrapper|impl|misc|common|data|info)$")

# What only one machine has, and what only one installation knows.
MACHINE = re.compile(r"(?<![\w.])/(?:work|root|opt|Users|home)/\w|/tmp/(?:brief|peers|pip)|pypi\.|index-url|find-links")
SECRET = re.compile(r"(?i)(?:api[_-]?key|token|password)\s*=\s*['\"][0-9a-z]{20,}['\"]")


def tracked() -> list[Path]:
    """Return the files of the repository: those that git knows or would add."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    return [path for name in listed.split("\0") if name and (path := ROOT / name).is_file()]


def test_sources_are_found():
    assert len(SOURCES) > 10


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT / "src")))
def test_file_is_one_noun(path):
    name = str(path.relative_to(ROOT / "src"))
    count = len(path.read_text("utf-8").splitlines())
    assert count <= LONGEST or name in LONG, f"{name} has {count} lines: two nouns?"
    assert not (count <= LONGEST and name in LONG), f"{name} is short by now: take it off the list"
    assert not HOLLOW.search(path.stem), f"{name}: the name does not say what is in it"
    assert not re.search(r"_(part)?\d$", path.stem), f"{name}: split by noun, not by number"


def test_no_machine_in_the_tree():
    found = []
    for path in tracked():
        if path == Path(__file__):
            continue
        try:
            text = path.read_text("utf-8")
        except UnicodeDecodeError:
            continue
        for number, line in enumerate(text.splitlines(), 1):
            if MACHINE.search(line) or SECRET.search(line):
                found.append(f"{path.relative_to(ROOT)}:{number}: {line.strip()[:100]}")
    assert not found, "\n".join(found)


def test_the_pattern_finds_machines():
    assert MACHINE.search("see /" + "work/main/x") and MACHINE.search("'/" + "home/somebody/results'")
    assert not MACHINE.search("a/work/b") and not MACHINE.search("https://example.org/home/x")


def test_the_type_marker_is_shipped():
    assert (ROOT / "src" / "luthier" / "py.typed").exists()


def test_no_package_without_init():
    folders = {path.parent for path in SOURCES}
    assert not [str(folder) for folder in folders if not (folder / "__init__.py").exists()]
