"""``luthier sweep``: make a sweep, or have one pause, go on or end."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from luthier.cli.opened import Refused
from luthier.core.errors import LuthierError

if TYPE_CHECKING:
    from luthier.sweeps.client import State

_SAID = {
    "PAUSED": "is paused: those of its runs that have started go on",
    "RUNNING": "goes on",
    "FINISHED": "is stopped: those of its runs that have started come to their ends",
    "CANCELED": "is canceled: its runs end now",
}


@click.command(short_help="Make a sweep, pause it, let it go on, end it.")
@click.argument("config")
@click.option("--pause", "state", flag_value="PAUSED", help="No new runs; those that run go on.")
@click.option("--resume", "state", flag_value="RUNNING", help="Go on after --pause.")
@click.option("--stop", "state", flag_value="FINISHED", help="No new runs ever; those that run come to their ends.")
@click.option("--cancel", "state", flag_value="CANCELED", help="No new runs ever; those that run are stopped.")
@click.option("--project", default=None, help="Where it belongs. [default: what the file says]")
@click.option("--name", default=None, help="What to call it. [default: what the file says]")
@click.option("--server", default=None, help="URL of the server. [default: LUTHIER_SERVER, or this machine's own]")
@click.option("--local", is_flag=True, help="Start a private server with its database in this directory.")
def sweep(
    config: str, state: State | None, project: str | None, name: str | None, server: str | None, local: bool
) -> None:
    """Make a sweep of CONFIG, a YAML file, and print its id; with one of the first four options, CONFIG is an id.

    Nothing runs before an agent is started: luthier agent ID.
    """
    from luthier.sweeps.address import sweep_address
    from luthier.sweeps.client import Client
    from luthier.sweeps.launch import sweep as make

    try:
        if state is None:
            click.echo(make(config, project=project, name=name, server=server, local=local))
            return
        found, server = sweep_address(config, server)
        with Client(server) as client:
            client.set_sweep(found, state)
    except LuthierError as error:
        raise Refused(str(error)) from error
    sys.stderr.write(f"luthier: sweep {found} {_SAID[state]}\n")
