"""The client of resumed handshakes: makes one after the other with the ticket of an earlier one, and says how many.

`python -m benches.compare.resuming_client PORT SECONDS`. It fails at one that is full. Which cipher suite and which
group are offered is a matter not of Python's but of OpenSSL's configuration, which `environment` leads to. The client
of `openssl` cannot do it: to see a ticket of TLS 1.3 it makes a request on each connection.
"""

from __future__ import annotations

import socket
import ssl
import sys
import time
from pathlib import Path

from benches.compare.client import CIPHER
from benches.compare.correct import HOST

CONFIG = f"""
openssl_conf = whole
[whole]
ssl_conf = tls
[tls]
system_default = offered
[offered]
Ciphersuites = {CIPHER}
Groups = X25519
"""


def environment(folder: Path) -> dict[str, str]:
    """Variables for this program; a file goes into the folder."""
    path = folder / "openssl.cnf"
    path.write_text(CONFIG, encoding="utf-8")
    return {"OPENSSL_CONF": str(path)}


def main() -> None:
    """The command."""
    port, seconds = int(sys.argv[1]), float(sys.argv[2])
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    session = _ticket(port, context)
    made, begun = 0, time.monotonic()
    while (passed := time.monotonic() - begun) < seconds:
        with _connected(port, context, session) as one:
            _demand_resumed(one)
        made += 1
    sys.stdout.write(f"{made} resumed in {passed} seconds\n")


def _connected(port: int, context: ssl.SSLContext, session: ssl.SSLSession | None = None) -> ssl.SSLSocket:
    """A connection whose handshake is over."""
    plain = socket.create_connection(("127.0.0.1", port), 10)
    plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return context.wrap_socket(plain, server_hostname=HOST, session=session)


def _ticket(port: int, context: ssl.SSLContext) -> ssl.SSLSession:
    """Of a connection on which a request was answered: tickets come after the handshake."""
    with _connected(port, context) as one:
        one.sendall(f"GET /1k HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\r\n".encode())
        while one.recv(65536):
            pass
        assert one.session is not None, "there is no ticket"
        return one.session


def _demand_resumed(one: ssl.SSLSocket) -> None:
    cipher = one.cipher()
    found = (one.version(), cipher and cipher[0], one.session_reused)
    expected = ("TLSv1.3", CIPHER, True)
    assert found == expected, f"found {found}, expected {expected}"


if __name__ == "__main__":
    main()
