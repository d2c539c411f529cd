"""Every ```python block of README and docs runs: each page from top to bottom, as one script, as a reader would."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAPERS = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
PAGES = [page for page in PAPERS if "```python" in page.read_text("utf-8")]
FENCE = re.compile(r"^```")


def script_of(markdown: str) -> str:
    """Return the python blocks of *markdown*, each line where it stands on the page."""
    lines, inside = [], False
    for line in markdown.splitlines():
        if FENCE.match(line):
            inside = not inside and line.strip() == "```python"
            lines.append("")
        else:
            lines.append(line if inside else "")
    return "\n".join(lines) + "\n"


def test_blocks_keep_their_lines():
    page = "text\n```python\nx = 1\n```\n```text\nno\n```\n```python\ny = 2\n```"
    assert script_of(page) == "\n\nx = 1\n\n\n\n\n\ny = 2\n\n"


def test_every_fence_is_told_apart():
    for page in PAGES:
        openings = [line for line in page.read_text("utf-8").splitlines() if line.startswith("```")][::2]
        assert all(re.fullmatch(r"```[a-z]+", line) for line in openings), f"{page}: a block does not say its language"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_page_runs(page, tmp_path):
    script = tmp_path / f"{page.stem.replace('-', '_').lower()}.py"
    script.write_text(script_of(page.read_text("utf-8")), "utf-8")
    own = {"LUTHIER_STORAGE_PATH": str(tmp_path / "results"), "HOME": str(tmp_path)}
    own["MPLCONFIGDIR"] = str(tmp_path / "results" / "matplotlib")  # ZOOpt imports it, and it keeps a cache of fonts
    done = subprocess.run(
        [sys.executable, "-W", "error", str(script)],
        cwd=tmp_path,
        env={**os.environ, **own},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, f"{page.relative_to(ROOT)}\n{done.stdout[-2000:]}\n{done.stderr[-6000:]}"
    kept = {script.name, "results", ".cache", ".ray"}  # with W&B's log and Ray's token
    left = {path.name for path in tmp_path.iterdir()} - kept
    assert not left, "a page leaves files behind"
