"""What the server of sweeps can be asked, over HTTP."""

from __future__ import annotations

import os
import random
import time
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import quote

from luthier.core.errors import BadArgument, ServerAway, ServerError
from luthier.store.backoff import Backoff
from luthier.sweeps import credentials
from luthier.sweeps.address import is_loopback, server_address
from luthier.sweeps.wire import decode, encode

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from types import TracebackType
    from typing import Self

    import httpx

State = Literal["RUNNING", "PAUSED", "FINISHED", "CANCELED"]
STATES = ("RUNNING", "PAUSED", "FINISHED", "CANCELED")

_BASE = "/api/v1"
_AGAIN = frozenset({429, 502, 503, 504})
_BACKOFF = Backoff(first=0.2, longest=5.0, jitter=0.5)
_BLOCK = 1 << 20
_PAGE = 500
_LEAVE_S = 5.0  # who leaves does not wait for long
_SHOWN = 300  # characters of a server's answer that an error repeats


class Client:
    """A connection to a server; several threads may use it.

    Args:
        server: its URL; ``LUTHIER_SERVER`` where None, and this machine's own where that is not set.
        key: the API key; ``LUTHIER_API_KEY``, or what ``luthier login`` has kept, where None.
        timeout_s: seconds to wait for an answer.
        patience_s: seconds to go on trying when the server is away or busy.

    Raises:
        BadArgument: *server* is no URL, or *key* cannot be one.

    >>> Client("http://127.0.0.1:8017", key="secret")
    Client('http://127.0.0.1:8017')
    """

    def __init__(
        self, server: str | None = None, key: str | None = None, *, timeout_s: float = 30.0, patience_s: float = 10.0
    ) -> None:
        self.server = server_address(server)
        key = key or os.environ.get("LUTHIER_API_KEY") or credentials.key_for(self.server)
        if key is not None:
            credentials.check(key)
        self._key, self.timeout_s, self.patience_s = key, timeout_s, patience_s
        self._http: httpx.Client | None = None

    def __repr__(self) -> str:
        return f"Client({self.server!r})"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()

    def __del__(self) -> None:
        if self.__dict__.get("_http") is not None:
            self.close()

    @property
    def key(self) -> str | None:
        """The API key that it has; None where it has none."""
        return self._key

    def close(self) -> None:
        """Let the connections go."""
        if self._http is not None:
            self._http.close()
            self._http = None

    # -- sweeps --------------------------------------------------------------------------------------------------------
    def create_sweep(self, config: str, *, project: str | None = None, name: str | None = None) -> dict[str, Any]:
        """Make a sweep of *config*, a YAML text; return ``{"sweep": id, "url", "warnings"}``."""
        given = {"config": config, "project": project, "name": name}
        return self._dict("POST", "/sweeps", {k: v for k, v in given.items() if v is not None})

    def sweeps(self, project: str | None = None) -> list[dict[str, Any]]:
        """Return the sweeps, of one project or of all."""
        found: list[dict[str, Any]] = []
        while True:
            params = {"offset": len(found), "limit": _PAGE} | ({} if project is None else {"project": project})
            page = _listed(self.call("GET", "/sweeps", params=params), "sweeps")
            found += page
            if len(page) < _PAGE:
                return found

    def sweep(self, sweep: str) -> dict[str, Any]:
        """Return what the server knows of a sweep."""
        return self._dict("GET", f"/sweeps/{_part(sweep)}")

    def set_sweep(self, sweep: str, state: State) -> None:
        """Pause a sweep, let it go on, finish it (its runs come to their ends) or cancel it (they are stopped).

        Raises:
            BadArgument: *state* is no such word.
        """
        if state not in STATES:
            raise BadArgument("state", state, "one of " + ", ".join(STATES))
        self.call("PATCH", f"/sweeps/{_part(sweep)}", {"state": state})

    def delete_sweep(self, sweep: str) -> None:
        """Delete a sweep with its runs."""
        self.call("DELETE", f"/sweeps/{_part(sweep)}")

    # -- runs ----------------------------------------------------------------------------------------------------------
    def runs(self, sweep: str, *, offset: int = 0, limit: int = _PAGE, columns: Iterable[str] = ()) -> dict[str, Any]:
        """Return a page of the table of runs: ``{"total", "rows", ...}``, as the page of the sweep shows it."""
        params = {"offset": offset, "limit": limit, "sort": "number", "descending": False, "columns": list(columns)}
        return _as_dict(self.call("GET", f"/sweeps/{_part(sweep)}/runs", params=params))

    def run(self, run: str) -> dict[str, Any]:
        """Return what the server knows of a run."""
        return self._dict("GET", f"/runs/{_part(run)}")

    def history(self, run: str) -> Iterator[dict[str, Any]]:
        """Give the rows that a run has logged, in all its attempts, fetched a page at a time."""
        offset = 0
        while True:
            params = {"offset": offset, "limit": _PAGE}
            page = _as_dict(self.call("GET", f"/runs/{_part(run)}/history", params=params))
            yield from page["items"]
            offset += len(page["items"])
            if not page["items"] or offset >= page["rows"]:
                return

    def curves(self, run: str, metrics: Iterable[str] = (), *, points: int = 1000) -> dict[str, Any]:
        """Return curves of metrics (of all, where none is named), thinned out to about so many points."""
        params = {"metric": list(metrics), "points": points}
        return _as_dict(self.call("GET", f"/runs/{_part(run)}/curves", params=params))

    def output(self, run: str, *, first: int | None = None, limit: int = _PAGE) -> dict[str, Any]:
        """Return lines that a run has printed in its latest attempt: from *first* on, or the last ones."""
        params = {"limit": limit} if first is None else {"limit": limit, "first": first}
        return _as_dict(self.call("GET", f"/runs/{_part(run)}/output", params=params))

    def files(self, run: str) -> list[dict[str, Any]]:
        """Return which files a run has."""
        return _listed(self.call("GET", f"/runs/{_part(run)}/files"), "files")

    def put_file(self, run: str, path: str, source: str | os.PathLike[str]) -> None:
        """Upload the file *source* as *path* of a run; it is read in blocks."""

        def blocks() -> Iterator[bytes]:
            with open(source, "rb") as file:
                while block := file.read(_BLOCK):
                    yield block

        self.call("PUT", _file(run, path), content=blocks, size=os.path.getsize(source))

    def get_file(self, run: str, path: str, target: str | os.PathLike[str]) -> None:
        """Download *path* of a run into the file *target*, which is there only once it is complete."""
        draft = f"{os.fspath(target)}.part"
        try:
            self.call("GET", _file(run, path), into=draft)
            os.replace(draft, target)
        finally:
            if os.path.exists(draft):
                os.remove(draft)

    # -- agents --------------------------------------------------------------------------------------------------------
    def register_agent(self, sweep: str, about: Mapping[str, Any]) -> dict[str, Any]:
        """Introduce an agent to a sweep; return its id, its lease and what it needs to know of the sweep."""
        return self._dict("POST", f"/sweeps/{_part(sweep)}/agents", about)

    def exchange(self, agent: str, body: bytes, *, timeout_s: float) -> dict[str, Any]:
        """Say what an agent has to say, already encoded; return the reply.  It is tried once."""
        path = f"/agents/{_part(agent)}/exchange"
        return _as_dict(self.call("POST", path, body=body, timeout_s=timeout_s, patience_s=0.0))

    def leave(self, agent: str, *, patience_s: float = 0.0) -> None:
        """Give an agent's runs back at once."""
        self.call("POST", f"/agents/{_part(agent)}/leave", {}, patience_s=patience_s, timeout_s=_LEAVE_S)

    # -- requests ------------------------------------------------------------------------------------------------------
    def call(  # noqa: PLR0913 (of which each caller needs two or three)
        self,
        method: str,
        path: str,
        given: Any = None,
        *,
        body: bytes | None = None,
        params: Mapping[str, Any] | None = None,
        content: Callable[[], Iterator[bytes]] | None = None,
        size: int = 0,
        into: str | None = None,
        timeout_s: float | None = None,
        patience_s: float | None = None,
    ) -> Any:
        """Send a request below ``/api/v1``; return the answer, decoded.

        A server that cannot be reached, or that says 429, 502, 503 or 504, is asked again; what may have been done
        already is asked again only where doing it twice is the same.

        Args:
            method: of HTTP.
            path: below ``/api/v1``.
            given: sent as JSON.
            body: sent instead, encoded already.
            params: of the query.
            content: gives the blocks of the body, anew for each try.
            size: how many bytes *content* gives.
            into: file that the answer is written to.
            timeout_s: seconds for an answer, where it differs.
            patience_s: seconds to go on trying, where it differs.

        Raises:
            ServerAway: no answer.
            ServerError: the server refused.
        """
        headers = {"Content-Type": "application/octet-stream" if content else "application/json"}
        if content is not None:
            headers["Content-Length"] = str(size)
        if given is not None:
            body = encode(given)
        end = time.monotonic() + (self.patience_s if patience_s is None else patience_s)
        failures = 0
        while True:
            try:
                return self._try(method, path, content() if content else body, params, headers, into, timeout_s)
            except ServerError as error:
                sent_in_vain = isinstance(error, ServerAway) and error.unsent
                repeatable = method != "POST" or sent_in_vain or error.status in {429, 503}
                failures += 1
                wait = max(_BACKOFF.delay(failures, random.random()), _asked_to_wait(error))  # noqa: S311
                passing = isinstance(error, ServerAway) or error.status in _AGAIN
                if not (repeatable and passing) or time.monotonic() + wait > end:
                    raise
                time.sleep(wait)

    def _try(
        self,
        method: str,
        path: str,
        content: Any,
        params: Mapping[str, Any] | None,
        headers: Mapping[str, str],
        into: str | None,
        timeout_s: float | None,
    ) -> Any:
        import httpx

        http = self._connection()
        timeout = httpx.Timeout(timeout_s or self.timeout_s, connect=min(10.0, timeout_s or self.timeout_s))
        try:
            with http.stream(
                method, _BASE + path, content=content, params=params, headers=dict(headers), timeout=timeout
            ) as response:
                if response.status_code >= httpx.codes.BAD_REQUEST or response.is_redirect:
                    response.read()
                    raise self._refusal(response)
                if into is not None:
                    with open(into, "wb") as file:
                        file.writelines(response.iter_bytes(_BLOCK))
                    return None
                data = response.read()
        except (httpx.TransportError, httpx.DecodingError, httpx.TooManyRedirects) as error:
            away = ServerAway(
                f"the server {self.server} does not answer ({_why(error)}): start one with luthier server, or say "
                "where it is with server=... or LUTHIER_SERVER"
            )
            away.unsent = isinstance(error, httpx.ConnectError | httpx.ConnectTimeout)
            raise away from None  # pages of tracebacks would say no more
        if not data:
            return None
        try:
            return decode(data)
        except (ValueError, RecursionError):
            raise ServerError(
                f"{self.server} answers {data[:40]!r}, which is no JSON: is it a server of Luthier's?"
            ) from None

    def _connection(self) -> httpx.Client:
        if self._http is None:
            import httpx

            headers = {"User-Agent": "luthier"}
            if self._key:
                headers["Authorization"] = f"Bearer {self._key}"
            self._http = httpx.Client(
                base_url=self.server, headers=headers, follow_redirects=False, trust_env=not is_loopback(self.server)
            )
        return self._http

    def _refusal(self, response: httpx.Response) -> ServerError:
        text = _detail(response)
        if response.status_code == 401:  # noqa: PLR2004 (HTTP)
            text += f"; give {'another one' if self._key else 'one'} by luthier login, or LUTHIER_API_KEY"
        error = ServerError(f"{self.server} says {response.status_code}: {text}", response.status_code)
        error.__cause__ = _Retry(response.headers.get("Retry-After", "")) if response.status_code in _AGAIN else None
        return error

    def _dict(self, method: str, path: str, given: Any = None) -> dict[str, Any]:
        return _as_dict(self.call(method, path, given))


class _Retry(Exception):
    """When the server wants to be asked again."""


def _asked_to_wait(error: ServerError) -> float:
    if isinstance(error.__cause__, _Retry):
        try:
            return max(0.0, float(str(error.__cause__)))
        except ValueError:
            return 0.0
    return 0.0


def _why(error: Exception) -> str:
    text = str(error) or type(error).__name__
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "..."


def _detail(response: httpx.Response) -> str:
    try:
        found = response.json()
    except ValueError:
        return response.reason_phrase or "no reason given"
    if isinstance(found, dict):
        found = found.get("detail") or found.get("error") or found
    text = found if isinstance(found, str) else str(found)
    flaws = text.split("\n  ")  # of a sweep's description: each has its line
    return "\n  ".join(" ".join(flaw.split()) for flaw in flaws)[: 10 * _SHOWN]


def _as_dict(found: Any) -> dict[str, Any]:
    if not isinstance(found, dict):
        raise ServerError(f"the server answered {str(found)[:40]!r} where an object was expected")
    return found


def _listed(found: Any, name: str) -> list[dict[str, Any]]:
    rows = found.get(name) if isinstance(found, dict) else found
    if not isinstance(rows, list):
        raise ServerError(f"the server answered without a list of {name}")
    return rows


def _part(name: str) -> str:
    return quote(name, safe="")


def _file(run: str, path: str) -> str:
    return f"/runs/{_part(run)}/files/{quote(path, safe='/')}"
