"""``luthier sync``: finish an upload."""

from __future__ import annotations

import click

from luthier.cli.opened import Refused, existing
from luthier.core.errors import LuthierError


@click.command(short_help="Finish an upload that an experiment could not.")
@click.argument("directory")
@click.option(
    "--timeout", type=click.FloatRange(min=0), default=1800.0, help="Seconds to wait at most; 1800 by default."
)
def sync(directory: str, timeout: float) -> None:
    """Upload what is not up yet of the experiment in DIRECTORY, the one on this machine that fit() told of.

    \b
    Examples:
      luthier sync ~/.cache/luthier/staging/s3_bucket_results-0123456789/NAME
    """  # noqa: D301 (a backspace tells click to keep the lines)
    from luthier.tune.elsewhere import finish_upload

    path = existing(directory)
    try:
        url = finish_upload(str(path.absolute()), timeout, lambda lines: click.echo("\n".join(lines), err=True))
    except LuthierError as error:
        raise Refused(str(error)) from error
    if url is None:
        raise click.ClickException("the upload is not complete: what is missing stays, and may be tried again.")
    click.echo(f"all of it is up at {url}")
