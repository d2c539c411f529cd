"""The file that a fresh process runs; it can import Luthier only once it was told where modules are.

``boot.py template CONTROL PREAMBLE WHERE PARENT`` is a template, ``boot.py trial SOCKET PARENT`` one trial's process.
The arguments are file descriptors, and the process id of the parent.  ``boot.py shared`` is a trial's process on
Windows: its socket comes through its standard input.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:  # without importing typing, which takes longer than all that happens here
    from collections.abc import Callable


def _exactly(read: Callable[[int], bytes], size: int) -> bytes:
    chunks = b""
    while len(chunks) < size:
        chunk = read(size - len(chunks))
        if not chunk:
            os._exit(1)  # whoever started this is gone
        chunks += chunk
    return chunks


def _find_modules(read: Callable[[int], bytes]) -> None:
    """Read the first frame and search for modules where it says."""
    size = int.from_bytes(_exactly(read, 4), "little")
    sys.path[:] = _exactly(read, size).decode("utf-8", "surrogateescape").split("\0")


def _run() -> None:
    kind, *numbers = sys.argv[1:]
    if kind == "template":
        control, preamble, where, parent = map(int, numbers)
        _find_modules(lambda size: os.read(preamble, size))
        from luthier.worker.template import serve_as_template

        serve_as_template(control, preamble, where, parent)
    elif kind == "trial":
        descriptor, parent = map(int, numbers)
        _find_modules(lambda size: os.read(descriptor, size))
        from luthier.worker.main import serve_one

        serve_one(descriptor, parent)
    else:
        import socket

        sock = socket.fromshare(sys.stdin.buffer.read())  # type: ignore[attr-defined,unused-ignore]  # Windows alone
        _find_modules(sock.recv)
        from luthier.worker.main import serve_socket

        serve_socket(sock)


if __name__ == "__main__":
    _run()
