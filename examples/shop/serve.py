"""Serves the shop: starts its toy backends and a gateway in front of them, and prints what can now be asked for.

    python examples/shop/serve.py

What it does by hand is two commands: `python examples/shop/backends.py` and `python -m fastingress --manifests
examples/shop`. Edit a manifest while it runs, and ask again. Ctrl-C ends it.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO

HERE = Path(__file__).resolve().parent
BACKEND_PORT = 9001
READY = re.compile(r"ready: ")

COMMANDS = """
The shop is open. These work now, in another terminal:

    curl http://shop.localhost:{http}/
    curl http://shop.localhost:{http}/cart/add
    curl -i http://api.shop.localhost:{http}/v1/books
    curl -i http://office.shop.localhost:{http}/
    curl -i http://pay.shop.localhost:{http}/
    curl -k https://pay.shop.localhost:{https}/
    curl http://unknown.localhost:{http}/
    curl http://localhost:{admin}/metrics
    {python} -m fastingress explain http://shop.localhost/cart/add --admin http://localhost:{admin}

The manifests are in {folder}: edit one and ask again. Ctrl-C stops.
"""


def main() -> int:
    """Serves until it is interrupted; the exit status of the gateway."""
    asked = arguments()
    with ExitStack() as stack:
        stack.enter_context(foreground())
        places = stack.enter_context(backends(asked.backend_port))
        folder = HERE if asked.backend_port == BACKEND_PORT else stack.enter_context(adapted(places))
        gateway = stack.enter_context(child(gateway_command(asked, folder), stderr=subprocess.PIPE))
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda number, _: gateway.send_signal(number))
        assert gateway.stderr is not None
        reader = threading.Thread(target=follow, args=(gateway.stderr, folder))
        reader.start()
        status = gateway.wait()
        reader.join()
        return status


def arguments() -> argparse.Namespace:
    """The ports to use."""
    parser = argparse.ArgumentParser(description="Serve the example shop.")
    parser.add_argument("--http-port", type=int, default=8080, help="0 for a free one (default: 8080)")
    parser.add_argument("--https-port", type=int, default=8443, help="0 for a free one (default: 8443)")
    parser.add_argument("--admin-port", type=int, default=10254, help="0 for a free one (default: 10254)")
    parser.add_argument(
        "--backend-port",
        type=int,
        default=BACKEND_PORT,
        help=f"of the first one; 0 for free ones (default: {BACKEND_PORT})",
    )
    return parser.parse_args()


def gateway_command(asked: argparse.Namespace, folder: Path) -> list[str]:
    """What a person would type."""
    ports = [f"--{name}-port={getattr(asked, f'{name}_port')}" for name in ("http", "https", "admin")]
    return [sys.executable, "-m", "fastingress", "--manifests", str(folder), *ports]


@contextmanager
def backends(port: int) -> Iterator[dict[str, str]]:
    """Starts the toy backends: their addresses by name."""
    command = [sys.executable, str(HERE / "backends.py"), "--port", str(port)]
    with child(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        places: dict[str, str] = {}
        while len(places) < 3:
            name, _, place = process.stdout.readline().strip().partition(" ")
            if not place:
                raise SystemExit("the backends did not start: is one of their ports in use? Try --backend-port 0")
            places[name] = place
        yield places


@contextmanager
def adapted(places: dict[str, str]) -> Iterator[Path]:
    """A copy of the manifests in which the Services name these addresses."""
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        for manifest in HERE.glob("*.yaml"):
            shutil.copy(manifest, folder)
        services = folder / "services.yaml"
        text = services.read_text(encoding="utf-8")
        for offset, place in enumerate(places.values()):
            text = text.replace(f"127.0.0.1:{BACKEND_PORT + offset}", place)
        services.write_text(text, encoding="utf-8")
        yield folder


@contextmanager
def child(command: list[str], **pipes: int) -> Iterator[subprocess.Popen[str]]:
    """A child process in a session of its own, so that ctrl-C reaches it once, through us."""
    process: subprocess.Popen[str] = subprocess.Popen(command, text=True, start_new_session=True, **pipes)  # type: ignore[call-overload]
    try:
        yield process
    finally:
        if process.poll() is None:
            process.terminate()
        process.wait()


@contextmanager
def foreground() -> Iterator[None]:
    """Takes the terminal, if there is one: ctrl-C is for us, and `make` is not interrupted but sees us end well."""
    if not os.isatty(0):
        yield
        return
    before = os.tcgetpgrp(0)
    with contextlib.suppress(PermissionError):  # we lead our session already
        os.setpgid(0, 0)
    give_terminal(os.getpgrp())
    try:
        yield
    finally:
        give_terminal(before)


def give_terminal(group: int) -> None:
    """Makes a process group the one that ctrl-C is for."""
    old = signal.signal(signal.SIGTTOU, signal.SIG_IGN)
    with contextlib.suppress(OSError):
        os.tcsetpgrp(0, group)
    signal.signal(signal.SIGTTOU, old)


def follow(errors: IO[str], folder: Path) -> None:
    """Passes on what the gateway says, and tells what works once it is ready."""
    for line in errors:
        sys.stderr.write(line)
        if READY.search(line):
            port = {name: re.search(rf"\b{name} on \S+?:([0-9]+)(?=[,;])", line) for name in ("http", "https", "admin")}
            found = {name: match[1] for name, match in port.items() if match}
            place, python = os.path.relpath(folder), os.path.relpath(sys.executable)
            print(COMMANDS.format(folder=place, python=python, **found), flush=True)


if __name__ == "__main__":
    sys.exit(main())
