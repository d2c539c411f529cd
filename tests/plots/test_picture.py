from __future__ import annotations

import stat

import pytest

from luthier.core.errors import BadArgument, NoPicture
from luthier.plots import picture
from luthier.plots.history import optimization_history
from luthier.plots.picture import write_picture
from tests.plots.made import chronicle


@pytest.fixture
def figure(monkeypatch):
    made = optimization_history(chronicle([{}] * 3, loss=[3.0, 2.0, 1.0]))

    def refuse(self, *args, **more):
        raise RuntimeError("kaleido is not there.\nMore lines")

    monkeypatch.setattr(type(made), "to_image", refuse)
    return made


def test_kaleido_draws_where_it_can(figure, monkeypatch, tmp_path):
    asked = []

    def draw(self, kind, **more):
        asked.append((kind, more["width"], more["height"]))
        return b"drawn"

    monkeypatch.setattr(type(figure), "to_image", draw)
    for name, kind in (("a.png", "png"), ("a.JPG", "jpeg"), ("a.svg", "svg")):
        write_picture(figure, tmp_path / name, width=600)
        assert (tmp_path / name).read_bytes() == b"drawn" and asked[-1] == (kind, 600, 420)


def test_else_a_browser_makes_a_screenshot(figure, monkeypatch, tmp_path):
    browser = tmp_path / "chromium"
    browser.write_text(
        "#!/bin/sh\n"
        'for word in "$@"; do case "$word" in\n'
        '--screenshot=*) out="${word#--screenshot=}";;\nfile:*) page="${word#file://}";;\n'
        'esac; done\ngrep -q "trial_0" "$page" && printf "shot $*" > "$out"\n'
    )
    browser.chmod(browser.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.setattr(picture, "BROWSERS", ("no-browser", "chromium"))
    target = tmp_path / "out.png"
    write_picture(figure, target, width=640, height=300)
    said = target.read_text()
    assert said.startswith("shot ") and "--window-size=640,300" in said and "--headless" in said


def test_where_nothing_can_draw(figure, monkeypatch, tmp_path):
    monkeypatch.setattr(picture, "BROWSERS", ())
    with pytest.raises(
        NoPicture, match=r"out.png cannot be drawn here \(kaleido is not there\): pip install kaleido, and"
    ):
        write_picture(figure, tmp_path / "out.png")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("script", ["exit 1", "exit 0"])
def test_a_browser_that_fails(figure, monkeypatch, tmp_path, script):
    browser = tmp_path / "bin" / "chromium"
    browser.parent.mkdir()
    browser.write_text(f"#!/bin/sh\n{script}\n")
    browser.chmod(0o755)
    monkeypatch.setenv("PATH", str(browser.parent), prepend=":")
    monkeypatch.setattr(picture, "BROWSERS", ("chromium",))
    old = tmp_path / "out.png"
    old.write_bytes(b"old")
    with pytest.raises(NoPicture):
        write_picture(figure, old)
    assert old.read_bytes() == b"old"


def test_browsers_draw_png_alone(figure, tmp_path):
    with pytest.raises(NoPicture, match="As HTML it works everywhere"):
        write_picture(figure, tmp_path / "out.svg")


def test_a_name_that_is_no_picture(figure, tmp_path):
    with pytest.raises(BadArgument, match="give a file that ends in one of "):
        write_picture(figure, tmp_path / "out.gif")
