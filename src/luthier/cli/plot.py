"""``luthier plot``: an experiment as a page of figures, or one figure as a picture."""

from __future__ import annotations

from pathlib import Path

import click

from luthier.callbacks.spelling import counted
from luthier.cli.opened import Refused, local
from luthier.core.errors import LuthierError
from luthier.plots.catalogue import FIGURES

_PAGE = {".html", ".htm"}


@click.command(short_help="Figures, as one page or as pictures.")
@click.argument("experiment")
@click.option("--out", metavar="FILE", default="report.html", show_default=True, type=click.Path(dir_okay=False),
              help="A page (.html), or a picture of one figure (.png, .svg, .pdf).")  # fmt: skip
@click.option("--figure", "figures", metavar="NAME", multiple=True, type=click.Choice(list(FIGURES)),
              help=f"Only this one; may be given several times. {', '.join(FIGURES)}.")  # fmt: skip
@click.option("--metric", default=None, help="The metric that figures are about; what is optimised by default.")
@click.option("--mode", type=click.Choice(["min", "max"]), default=None, help="Which values of it are better.")
def plot(*, experiment: str, out: str, figures: tuple[str, ...], metric: str | None, mode: str | None) -> None:
    """Draw EXPERIMENT (its directory): all figures that have anything to show, on one page that needs nothing else.

    \b
    The page holds its script and fetches nothing: mail it, or open it years later.
    Pictures take kaleido and a browser, or for .png a browser alone.

    \b
    Examples:
      luthier plot ~/luthier_results/NAME --out report.html
      luthier plot NAME --metric accuracy --mode max
      luthier plot NAME --figure param_importances --out importances.png
    """  # noqa: D301 (a backspace tells click to keep the lines)
    from luthier.plots.picture import KINDS, write_picture
    from luthier.plots.reading import read_chronicle
    from luthier.plots.report import report, write_report

    target = Path(out)
    kind = target.suffix.lower()
    if kind not in {*_PAGE, *KINDS}:
        raise Refused(f"--out {out}: give a file that ends in one of .html, {', '.join(KINDS)}")
    if kind not in _PAGE and len(figures) != 1:
        raise Refused(f"--out {out}: a picture is of one figure; say which by --figure: {', '.join(FIGURES)}")
    try:
        found = read_chronicle(local(experiment), metrics=[metric] if metric else ())
    except LuthierError as error:
        raise Refused(str(error)) from error
    except OSError as error:
        raise Refused(f"{experiment} cannot be read: {error}") from error
    try:
        if kind in _PAGE:
            write_report(out, report(found, list(dict.fromkeys(figures)), metric, mode))
        else:
            entry = FIGURES[figures[0]]
            write_picture(entry.draw(found, metric, mode) if entry.measured else entry.draw(found), target)
    except (LuthierError, KeyError, ValueError) as error:
        raise Refused(str(error)) from error
    except OSError as error:
        raise Refused(f"--out {out} cannot be written: {error.strerror or error}") from error
    click.echo(f"{counted(len(found.trials), 'trial')}, {counted(found.reports, 'result')} in {out}", err=True)
