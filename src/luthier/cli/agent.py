"""``luthier agent``: run trials of a sweep on this machine."""

from __future__ import annotations

import sys

import click

from luthier.cli.opened import Refused
from luthier.core.errors import LuthierError


@click.command(short_help="Run trials of a sweep on this machine.")
@click.argument("sweep")
@click.option("--count", type=click.IntRange(min=1), default=None, help="How many runs to start at most.")
@click.option("--server", default=None, help="URL of the server. [default: LUTHIER_SERVER, or this machine's own]")
@click.option("--concurrency", type=click.IntRange(min=1), help="How many runs at once. [default: 1]")
@click.option("--gpus", default="auto", show_default=True, help="Which GPUs to use: auto, none, or ids such as 0,2.")
@click.option("--name", default="", help="What to call this agent. [default: the machine's name]")
@click.option("--workdir", type=click.Path(), default=None, help="Where programs run. [default: here]")
@click.option(
    "--lease", type=click.FloatRange(min=1), default=None, help="Seconds without contact until its runs go to others."
)
@click.option(
    "--grace",
    type=click.FloatRange(min=0),
    default=10.0,
    show_default=True,
    help="Seconds that a run has to end when asked to.",
)
@click.option("--echo", is_flag=True, help="Show what runs print.")
@click.option("--quiet", is_flag=True, help="Show only what is wrong.")
@click.option("--wandb", is_flag=True, help="Run W&B's own agents instead, one for each GPU.")
def agent(  # noqa: PLR0917 (click hands them over by keyword)
    sweep: str,
    count: int | None,
    server: str | None,
    concurrency: int | None,
    gpus: str,
    name: str,
    workdir: str | None,
    lease: float | None,
    grace: float,
    echo: bool,
    quiet: bool,
    wandb: bool,
) -> None:
    """Run trials of SWEEP (its id, or the URL of its page) until it is over.

    Ctrl-C gives back what runs here and leaves; once more, and it leaves at once. Several agents on one machine share
    its GPUs: each run gets those that no other has.

    With --wandb there is one `wandb agent` for each GPU, or as many as --concurrency says; --count is for all
    of them together.
    """
    try:
        if wandb:
            from luthier.agent.fleet import fleet

            if name or lease is not None:
                raise Refused(f"--{'name' if name else 'lease'} is nothing that W&B's agents know: leave it out.")
            ended = fleet(
                sweep, count, server=server, size=concurrency, gpus=gpus, workdir=workdir, grace_s=grace, quiet=quiet
            )
        else:
            from luthier.agent.entry import agent as start

            ended = start(
                sweep, None, count, server=server, name=name, concurrency=concurrency or 1, gpus=gpus, workdir=workdir,
                lease_s=lease, grace_s=grace, echo=echo, quiet=quiet,
            )  # fmt: skip
    except LuthierError as error:
        raise Refused(str(error)) from error
    sys.exit(ended.code)
