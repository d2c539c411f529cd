"""``luthier ui``: pages about the experiments in a directory."""

from __future__ import annotations

import contextlib
import socket

import click

from luthier.callbacks.spelling import plain_text
from luthier.cli.opened import Refused, existing
from luthier.core.errors import LuthierError, MissingLibrary

PORT = 8717
HOST = "127.0.0.1"


@click.command(short_help="Pages about experiments, in a browser.")
@click.argument("directory", default=".")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=PORT, show_default=True, help="0 takes one that is free."
)
def ui(*, directory: str, port: int) -> None:
    """Show the experiments in DIRECTORY as pages: curves, tables, figures, as they run.  Nothing is changed.

    Only this machine's browsers are answered (127.0.0.1).

    \b
    Examples:
      luthier ui ~/luthier_results
      luthier ui ~/luthier_results/train_2026-01-31_10-00-00 --port 0
    """  # noqa: D301 (a backspace tells click to keep the lines)
    path = existing(directory)
    try:
        import fastapi  # noqa: F401 (the message says what to install)
        import uvicorn

        from luthier.server.process import spoken
        from luthier.server.viewing.app import viewing
    except ImportError as error:
        raise Refused(str(MissingLibrary("luthier ui", error.name or "fastapi", "server"))) from error
    listening = _listening(port)
    try:
        with contextlib.closing(listening), viewing(path) as (app, folder):
            for where, why in folder.unreadable.items():
                click.echo(f"unreadable: {where}: {plain_text(why)}", err=True)
            click.echo(f"http://{HOST}:{listening.getsockname()[1]} shows {path}; Ctrl-C ends it", err=True)
            config = uvicorn.Config(app, log_config=None, log_level="warning", timeout_graceful_shutdown=1)
            with spoken():
                uvicorn.Server(config).run(sockets=[listening])
    except LuthierError as error:
        raise Refused(str(error)) from error


def _listening(port: int) -> socket.socket:
    found = socket.socket()
    found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        found.bind((HOST, port))
    except OSError as error:
        found.close()
        raise Refused(f"--port {port} cannot be used: {error.strerror}. Give another one, or 0.") from error
    return found
