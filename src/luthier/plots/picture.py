"""A figure as a picture in a file."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from luthier.core.errors import BadArgument, NoPicture

KINDS = (".png", ".svg", ".pdf", ".webp", ".jpg", ".jpeg")
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "microsoft-edge")
_TIME_OUT_S = 90.0
_CURE = (
    "pip install kaleido, and have Chromium or Chrome; where there is a browser but no kaleido, PNG works, too. "
    "As HTML it works everywhere"
)


def write_picture(
    figure: Any, path: str | Path, width: int = 1000, height: int | None = None, scale: float = 1
) -> None:
    """Write *figure* to *path*: .png, .svg, .pdf, .webp or .jpg, as its name says.

    kaleido draws it; where that is missing, a browser makes a screenshot, of PNG alone.

    Args:
        figure: a plotly figure.
        path: the file.
        width: in pixels.
        height: in pixels; the figure's own where None.
        scale: so many pixels of the file for each.

    Raises:
        BadArgument: the name ends in something else.
        NoPicture: neither kaleido nor a browser can draw it here; the text says what would do.
    """
    target = Path(path)
    if target.suffix.lower() not in KINDS:
        raise BadArgument("path", str(path), f"a file that ends in one of {', '.join(KINDS)}")
    high = height or figure.layout.height or 450
    failure = ""
    try:
        drawn = figure.to_image(target.suffix[1:].lower().replace("jpg", "jpeg"), width=width, height=high, scale=scale)
    except Exception as error:  # noqa: BLE001 (kaleido and what it starts may fail in any way)
        failure = str(error).strip().partition("\n")[0] or type(error).__name__
    else:
        target.write_bytes(drawn)
        return
    browser = found_browser()
    if target.suffix.lower() != ".png" or browser is None or not _shot(figure, target, browser, width, high, scale):
        raise NoPicture(f"{target.name} cannot be drawn here ({failure.rstrip('.')}): {_CURE}.")


def found_browser() -> str | None:
    """Return the path of a browser that takes pictures without a screen, if there is one."""
    return next(filter(None, map(shutil.which, BROWSERS)), None)


def _shot(figure: Any, target: Path, browser: str, width: int, height: int, scale: float) -> bool:
    """Have *browser* make a screenshot; return whether there is one."""
    with tempfile.TemporaryDirectory(prefix="luthier-picture-", ignore_cleanup_errors=True) as folder:
        page = Path(folder, "figure.html")
        sized = type(figure)(figure).update_layout(width=width, height=height)
        bare = {"displayModeBar": False, "staticPlot": True}
        text = sized.to_html(include_plotlyjs=True, full_html=True, config=bare)
        page.write_text(text.replace("<body>", '<body style="margin:0;overflow:hidden">', 1), "utf-8")
        command = [
            browser, *_as_root(), "--headless", "--disable-gpu", "--disable-background-networking", "--no-first-run",
            f"--user-data-dir={folder}/profile", f"--force-device-scale-factor={scale:g}", "--hide-scrollbars",
            f"--window-size={width},{height}", "--virtual-time-budget=10000", f"--screenshot={target.absolute()}",
            page.as_uri(),
        ]  # fmt: skip
        before = target.stat().st_mtime_ns if target.exists() else None
        try:
            subprocess.run(command, check=True, capture_output=True, timeout=_TIME_OUT_S)
        except (OSError, subprocess.SubprocessError):
            return False
    return target.exists() and target.stat().st_mtime_ns != before


def _as_root() -> list[str]:
    """Return what Chromium wants of root, who may not have its sandbox."""
    return ["--no-sandbox"] if getattr(os, "geteuid", lambda: 1)() == 0 else []
