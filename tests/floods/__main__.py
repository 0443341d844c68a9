"""Runs one flood against any server, and prints what came of it as JSON."""

from __future__ import annotations

import argparse
import json
import ssl
import sys

from tests.floods import line
from tests.floods.kinds import FLOODS


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m tests.floods", description=__doc__)
    parser.add_argument("address", help="HOST:PORT, where HTTP/2 is spoken by prior knowledge")
    parser.add_argument("flood", choices=sorted(FLOODS))
    parser.add_argument("--seconds", type=float, default=20.0, help="how long (%(default)s)")
    parser.add_argument("--connections", type=int, help="at once (what the flood says)")
    parser.add_argument("--tls", action="store_true", help="over TLS, whatever certificate is shown")
    asked = parser.parse_args()
    host, _, port = asked.address.rpartition(":")
    flood = FLOODS[asked.flood]
    outcome = line.run(
        (host, int(port)),
        flood.attack,
        seconds=asked.seconds,
        connections=asked.connections or flood.connections,
        reads=flood.reads,
        tls=_blind() if asked.tls else None,
    )
    json.dump(outcome.as_dict(), sys.stdout)
    sys.stdout.write("\n")


def _blind() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols(["h2"])
    return context


if __name__ == "__main__":
    main()
