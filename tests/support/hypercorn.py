"""Hypercorn in a process of its own: a server of HTTP/1.1 and HTTP/2, plain and with TLS."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.certificates import Pair

_ROOT = Path(__file__).resolve().parents[2]


@contextmanager
def hypercorn(folder: Path, pair: Pair | None = None) -> Iterator[str]:
    """Runs it on a free port that is bound before it starts; gives its address, `127.0.0.1:PORT`."""
    folder.mkdir(parents=True, exist_ok=True)
    listener = socket.create_server(("127.0.0.1", 0), backlog=512)
    handle, port = listener.fileno(), listener.getsockname()[1]
    command = [sys.executable, "-m", "hypercorn", "--bind", f"fd://{handle}", "tests.support.asgi_echo:app"]
    if pair is not None:
        (folder / "chain.pem").write_bytes(pair.chain)
        (folder / "key.pem").write_bytes(pair.key)
        command += ["--certfile", str(folder / "chain.pem"), "--keyfile", str(folder / "key.pem")]
    with (folder / "output").open("wb") as output:
        child = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd=_ROOT, pass_fds=[handle]
        )
    listener.close()
    try:
        yield f"127.0.0.1:{port}"
        assert child.poll() is None, (folder / "output").read_text(encoding="utf-8")
    finally:
        child.terminate()
        child.wait(20)
