"""A server at work, as the command line wants it: one line when it answers, a file for who waits for that."""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import click

from luthier.cli.opened import Refused
from luthier.cli.place import Place, refusing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_GRACE_S = 10


class Wish(NamedTuple):
    """How to serve."""

    host: str
    port: int
    lease_s: float
    log_level: str
    ready_file: Path | None = None
    trust_proxy: tuple[str, ...] = ()
    tls_cert: Path | None = None
    tls_key: Path | None = None
    entity: str = "luthier"


def serve(place: Place, wish: Wish, *, auth: bool) -> None:
    """Serve until a signal comes.

    Raises:
        Refused: it cannot be; the text says why.
    """
    import uvicorn

    from luthier.server.app import create_app
    from luthier.server.auth.origin import is_loopback
    from luthier.server.database import shown
    from luthier.server.process import Process, listen, spoken, url_of

    scheme = "http" if wish.tls_cert is None else "https"
    with refusing(), contextlib.closing(listen(wish.host, wish.port)) as bound, _ready_file(wish) as tell:
        url = url_of(scheme, wish.host, bound.getsockname()[1])
        keys = "keys are needed" if auth else "no keys: for this machine alone"

        def ready() -> None:
            click.echo(f"luthier server answers at {url} ({shown(place.url)}; {keys}). Ctrl-C ends it.")
            if scheme == "http" and not (is_loopback(wish.host) or wish.trust_proxy):
                click.echo("warning: keys travel in the clear; see --tls-cert, or put a proxy before it.", err=True)
            tell(url)

        app = create_app(place.url, files=place.files, auth=auth, lease_s=wish.lease_s, entity=wish.entity)
        config = uvicorn.Config(
            app,
            log_config=None,  # see spoken()
            log_level=wish.log_level,
            access_log=wish.log_level in {"info", "debug"},
            server_header=False,
            proxy_headers=bool(wish.trust_proxy),
            forwarded_allow_ips=list(wish.trust_proxy),
            timeout_keep_alive=75,
            timeout_graceful_shutdown=_GRACE_S,
            ssl_certfile=wish.tls_cert,
            ssl_keyfile=wish.tls_key,
            lifespan="on",
        )
        try:
            config.load()
        except OSError as error:  # as ssl.SSLError is
            raise Refused(f"the certificate cannot be used: {error.strerror or error}.") from error
        process = Process(config, ready, app.state.service.hasten)
        with spoken():
            process.run([bound])
        if not process.started:
            raise Refused("the server could not start; the lines above say why.")
    click.echo("luthier server has stopped.")


@contextlib.contextmanager
def _ready_file(wish: Wish) -> Iterator[Callable[[str], None]]:
    """Give what writes the ready file, at once and whole; it goes when the server does."""
    path = wish.ready_file

    def tell(url: str) -> None:
        if path is None:
            return
        new = Path(f"{path}.new")
        try:
            new.write_text(json.dumps({"url": url, "pid": os.getpid()}), encoding="utf-8")
            os.replace(new, path)
        except OSError as error:
            raise Refused(f"--ready-file {path} cannot be written: {error.strerror or error}.") from error

    try:
        yield tell
    finally:
        if path is not None:
            path.unlink(missing_ok=True)
