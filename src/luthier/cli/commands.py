"""The verbs of ``luthier``, under one roof."""

from __future__ import annotations

import click

from luthier import __version__
from luthier.cli.agent import agent
from luthier.cli.demo import demo
from luthier.cli.export import export
from luthier.cli.log import log
from luthier.cli.login import login
from luthier.cli.ls import ls
from luthier.cli.plot import plot
from luthier.cli.resume import resume
from luthier.cli.server import server
from luthier.cli.show import show
from luthier.cli.sweep import sweep
from luthier.cli.sync import sync
from luthier.cli.ui import ui

_EPILOG = """\b
Examples:
  luthier demo                              tune a classifier of handwritten digits, a few seconds
  luthier ls ~/luthier_results              the experiments there
  luthier show ~/luthier_results/NAME       its trials, the best one, what failed
  luthier show NAME --filter "loss < 0.5" --sort loss --limit 5
  luthier show NAME --follow                as it runs, second by second
  luthier export NAME trials.csv            all trials as a table; --history: all results
  luthier plot NAME --out report.html       figures, as one page
  luthier log NAME                          what happened, in order
  luthier resume NAME                       go on with it after a crash or Ctrl-C
  luthier sync DIRECTORY                    finish an upload
  luthier server                            sweeps for agents on any machine
  luthier sweep FILE                        make a sweep on a server; --pause, --resume, --stop, --cancel ID
  luthier agent SWEEP                       run trials of a sweep on this machine
  luthier ui DIRECTORY                      pages in a browser, as experiments run

An experiment in ~/luthier_results ($LUTHIER_STORAGE_PATH) may be given by its name, others by directory or URL.
ls, show, plot, log and export only read, and may be used while it runs.
"""


@click.group(epilog=_EPILOG, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="luthier")
def luthier() -> None:
    """Look at hyperparameter tuning experiments, or try one."""


for verb in (agent, demo, ls, show, plot, log, login, export, resume, server, sweep, sync, ui):
    luthier.add_command(verb)
