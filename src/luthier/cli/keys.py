"""``luthier server key``: keys, made and revoked where the database can be reached."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import click

from luthier.cli.opened import Refused
from luthier.cli.place import Place, place_options
from luthier.cli.tables import print_table

if TYPE_CHECKING:
    from pathlib import Path


@click.group(short_help="Make, list and revoke keys.")
def key() -> None:
    """Keys for agents, scripts and browsers. While there are none, a server answers on its own machine alone."""


@key.command(short_help="Make a key; it is shown once.")
@click.argument("name")
@click.option("--role", type=click.Choice(["read", "write", "admin"]), default="write", help="write by default.")
@click.option("--project", help="The only project that it sees, made if it is not there; all by default.")
@place_options
def add(name: str, role: str, project: str | None, database_url: str | None, files: Path | None) -> None:
    """Make a key called NAME, after who or what it is for. It is printed, and cannot be shown again.

    \b
    Roles: read looks at everything; write also runs agents and makes and changes sweeps; admin also makes and
    revokes keys.

    \b
    Examples:
      luthier server key add ann --role admin
      luthier server key add cluster --project mnist
    """  # noqa: D301 (a backspace tells click to keep the lines)
    place = Place(database_url, files)
    with place.engine() as engine:
        from luthier.server.auth.caller import LOCAL, Role
        from luthier.server.auth.keys import Keys
        from luthier.server.database import writing
        from luthier.server.sweeping import project_id

        number = None
        if project is not None:
            with writing(engine) as connection:
                number = project_id(connection, project, time.time())
        keys = Keys(engine)
        first = not keys.any()
        key_id, made = keys.add(name, Role.of(role), number, by=LOCAL)
    click.echo(made)
    sees = f"project {project}" if project else "all projects"
    click.echo(f"key {key_id}, {name}, {role}, {sees}: shown this once. Agents take it as LUTHIER_API_KEY.", err=True)
    if first:
        click.echo("It is the first one: servers ask for a key from their next start on.", err=True)


@key.command("list", short_help="The keys there are.")
@place_options
def list_keys(database_url: str | None, files: Path | None) -> None:
    """List the keys, the newest first; not what is secret of them."""
    with Place(database_url, files).engine() as engine:
        from luthier.server.auth.keys import Keys

        rows = Keys(engine).listed()
    if not rows:
        click.echo("there are no keys")
        return
    columns = ("id", "name", "role", "project", "made", "used", "revoked")
    print_table(
        columns,
        [
            [
                r["id"],
                r["name"],
                r["role"],
                r["project"] or "all",
                *map(_when, (r["created_at"], r["used_at"], r["revoked_at"])),
            ]
            for r in rows
        ],
    )


@key.command(short_help="Revoke a key.")
@click.argument("key_id", metavar="ID")
@place_options
def revoke(key_id: str, database_url: str | None, files: Path | None) -> None:
    """Revoke the key with that ID (see list), and the sessions of browsers that logged in with it.

    Servers that run hear of it within a few seconds.
    """
    with Place(database_url, files).engine() as engine:
        from luthier.server.auth.caller import LOCAL
        from luthier.server.auth.keys import Keys

        if not Keys(engine).revoke(key_id, by=LOCAL):
            raise Refused(f"there is no key {key_id} that could be revoked: see `luthier server key list`.")
    click.echo(f"revoked {key_id}")


def _when(at: float | None) -> str:
    return "" if at is None else time.strftime("%Y-%m-%d %H:%M", time.localtime(at))
