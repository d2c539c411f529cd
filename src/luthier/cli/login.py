"""``luthier login``: keep the key of a server."""

from __future__ import annotations

import sys

import click

from luthier.cli.opened import Refused
from luthier.core.errors import LuthierError


@click.command(short_help="Keep the API key of a server.")
@click.option("--server", default=None, help="URL of the server. [default: LUTHIER_SERVER, or this machine's own]")
def login(server: str | None) -> None:
    """Ask for the API key of a server (or read it from a pipe), try it, and keep it for this user alone."""
    from luthier.sweeps import credentials
    from luthier.sweeps.address import server_address
    from luthier.sweeps.client import Client

    try:
        address = server_address(server)
        asks = sys.stdin.isatty()
        key = (click.prompt(f"API key for {address}", hide_input=True) if asks else sys.stdin.readline()).strip()
        credentials.check(key)
        with Client(address, key) as client:
            client.sweeps()
        place = credentials.keep(address, key)
    except LuthierError as error:
        raise Refused(str(error)) from error
    click.echo(f"The key for {address} is in {place}.")
