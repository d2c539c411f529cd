"""``luthier server``: sweeps for agents anywhere, and one page for all."""

from __future__ import annotations

import re
from pathlib import Path

import click

from luthier.cli.care import backup, doctor, migrate, restore
from luthier.cli.keys import key
from luthier.cli.opened import Refused
from luthier.cli.place import Place, place_options

_FILE = click.Path(path_type=Path, dir_okay=False)
_LEVELS = ["critical", "error", "warning", "info", "debug"]


@click.group(invoke_without_command=True, short_help="Serve sweeps; backups, keys, doctor.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen at; 0.0.0.0 is all of them.")
@click.option("--port", type=click.IntRange(0, 65535), default=8017, show_default=True, help="0 takes a free one.")
@place_options
@click.option("--auth/--no-auth", default=None, help="Ask for keys; by default, if there are any.")
@click.option("--ready-file", type=_FILE, help='Write {"url", "pid"} there once it answers.')
@click.option(
    "--lease",
    type=click.FloatRange(min=1),
    default=300.0,
    show_default=True,
    help="Seconds of silence after which an agent's runs go to others.",
)
@click.option(
    "--trust-proxy", multiple=True, metavar="ADDRESS", help="A reverse proxy whose X-Forwarded headers count."
)
@click.option(
    "--entity", envvar="LUTHIER_ENTITY", default="luthier", show_default=True, metavar="NAME",
    help="What W&B's client calls the owner of all projects here.",
)  # fmt: skip
@click.option("--tls-cert", type=_FILE, help="Certificate, to serve https itself.")
@click.option("--tls-key", type=_FILE, help="The certificate's key.")
@click.option("--log-level", type=click.Choice(_LEVELS), default="warning", show_default=True)
@click.pass_context
def server(
    context: click.Context,
    *,
    host: str,
    port: int,
    database_url: str | None,
    files: Path | None,
    auth: bool | None,
    ready_file: Path | None,
    lease: float,
    trust_proxy: tuple[str, ...],
    entity: str,
    tls_cert: Path | None,
    tls_key: Path | None,
    log_level: str,
) -> None:
    """Serve sweeps to agents and browsers. Without keys, only on this machine.

    \b
    Examples:
      luthier server
      luthier server key add ann --role admin
      luthier server --host 0.0.0.0 --tls-cert cert.pem --tls-key key.pem
      luthier server --database-url postgresql://luthier@db/luthier --files /srv/luthier
      luthier server backup luthier.tar
    """  # noqa: D301 (a backspace tells click to keep the lines)
    place = Place(database_url, files)
    place.remember()
    if context.invoked_subcommand is not None:
        return
    if (tls_cert is None) != (tls_key is None):
        raise Refused("--tls-cert and --tls-key belong together: give both, or none.")
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}", entity) or entity in {"api", "static"}:
        raise Refused(
            f"--entity {entity!r} will not do: letters, digits, '_', '-' and '.', and neither api nor static."
        )
    from luthier.cli.serving import Wish, serve

    wish = Wish(host, port, lease, log_level, ready_file, trust_proxy, tls_cert, tls_key, entity)
    serve(place, wish, auth=_needs_keys(place, host, auth, proxied=bool(trust_proxy)))


def _needs_keys(place: Place, host: str, auth: bool | None, *, proxied: bool) -> bool:
    """Return whether the server is to ask for keys.

    Raises:
        Refused: it would be open to others, or to nobody.
    """
    with place.engine() as engine:
        from luthier.server.auth.keys import Keys
        from luthier.server.auth.origin import is_loopback

        there = Keys(engine).any()
        here = is_loopback(host) and not proxied
        who = f"everybody who reaches {'the proxy' if proxied else host}"
    if not there and (auth or not here):
        what = "nobody could log in" if here else f"{who} could do everything"
        raise Refused(f"there are no keys, and {what}: make one with `luthier server key add NAME --role admin`.")
    if auth is False and not here:
        raise Refused(
            f"--no-auth is for this machine alone, not for {who}: leave it out, or listen at 127.0.0.1 without a proxy."
        )
    return there if auth is None else auth


for verb in (key, backup, restore, migrate, doctor):
    server.add_command(verb)
