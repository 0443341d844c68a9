"""All that flags and annotations make a controller read beside Ingresses and their backends, in use and replaced.

ConfigMaps of ports, keys of session tickets, authorities of clients, a certificate to show to backends; and a host
whose TLS passes through, for which nothing else is read.
"""

from __future__ import annotations

import secrets
import socket
import ssl
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from tests.cluster.support import objects
from tests.cluster.support.controller import Controller
from tests.cluster.support.space import Space
from tests.cluster.support.streams import answer_at, is_open, pods_at
from tests.support.backend import response
from tests.support.certificates import Authority, Pair, blind, serial_of
from tests.support.clients import Client, ClientAuthority, authority_secret
from tests.support.eventually import eventually
from tests.support.manifests import Rule
from tests.support.tcp import Handler, Peer, TcpServer, free_port
from tests.support.udp import UdpServer

OPEN, CLOSED, PASSED, INNER = (f"{name}.example" for name in ("open", "closed", "passed", "inner"))
TLS_PORT, DNS_PORT = 8444, 5353
"""Of the pod: the test itself answers there."""


class Edge:
    """The objects, and what clients see of them. What flags name is in a namespace of its own."""

    def __init__(self, space: Space, authority: Authority, folder: Path) -> None:
        self.space = space
        self.namespace = f"{space.namespace}-edge"
        self.tcp, self.udp = free_port(), free_port(socket.SOCK_DGRAM)
        self.config_maps = {layer: f"{self.namespace}/{layer}" for layer in ("tcp", "udp")}
        """`namespace/name`; a test may have others."""
        self._authority = authority
        self._folder = folder
        self._theirs, self._ours = authority.issue(PASSED), authority.issue("gateway.example")
        self._clients = ClientAuthority()
        self._resuming = authority.trusting(at_most=ssl.TLSVersion.TLSv1_2)

    @property
    def options(self) -> dict[str, Any]:
        """The flags that name them."""
        return {
            **{f"{layer}_services_configmap": name for layer, name in self.config_maps.items()},
            "ssl_session_ticket_secret": f"{self.namespace}/tickets",
            "enable_ssl_passthrough": True,
        }

    @property
    def values(self) -> dict[str, Any]:
        """The values of the chart that mean the same, with ConfigMaps of the chart."""
        config = {"ssl-session-ticket-secret": f"{self.namespace}/tickets", "enable-ssl-passthrough": True}
        return {"config": config, **self._entries()}

    @property
    def secrets(self) -> list[str]:
        """Of the Secrets that Ingresses name."""
        return ["tls", "clients", "ours"]

    @contextmanager
    def made(self) -> Iterator[None]:
        """Makes it all; TLS and UDP are served at the pod until the end."""
        shop = self.space.deploy("shop")
        [address] = shop.ready_addresses()
        self.space.apply(objects.namespace(self.namespace), *_services())
        self.name_ports()
        self._new_ticket_keys()
        self.space.apply(
            self._authority.issue(OPEN, CLOSED).secret("tls"),
            self._clients.secret("clients"),
            self._ours.secret("ours"),
        )
        self._ingresses()
        with ExitStack() as stack:
            stack.enter_context(UdpServer("dns", at=(address, DNS_PORT)))
            stack.enter_context(TcpServer(self._says_who_came(), at=(address, TLS_PORT)))
            yield

    def name_ports(self) -> None:
        """The ConfigMaps, with the ports of now."""
        for layer, entries in self._entries().items():
            namespace, _, name = self.config_maps[layer].partition("/")
            self.space.apply(objects.config_map(name, entries, namespace=namespace))

    # what is seen

    def until_served(self, gateway: Controller) -> None:
        """All of it works."""
        eventually(lambda: pods_at(self.tcp), what="TCP is served")
        eventually(lambda: answer_at(self.udp) == "dns", what="UDP is served")
        eventually(lambda: self._is_passed(gateway), what="TLS passes through")
        eventually(lambda: self._shows(gateway, self._ours), what="our certificate is shown to a backend")
        eventually(lambda: self._status(gateway) == 400, what="a certificate is asked for")
        eventually(lambda: self._status(gateway, self._clients.issue("known")) == 200, what="and one is taken")

    def until_followed(self, gateway: Controller) -> None:
        """Each is replaced, and each successor noticed."""
        closes, self.tcp = self.tcp, free_port()
        self.name_ports()
        eventually(lambda: pods_at(self.tcp) and not is_open(closes), what="other ports")
        self._ours = self._authority.issue("gateway.example")
        self.space.apply(self._ours.secret("ours"))
        eventually(lambda: self._shows(gateway, self._ours), what="another certificate of ours")
        known, self._clients = self._clients.issue("known"), ClientAuthority()
        self.space.apply(self._clients.secret("clients"))
        eventually(lambda: self._status(gateway, known) == 400, what="another authority of clients")
        session, _ = self._shake(gateway)
        assert self._shake(gateway, session)[1], "a session goes on"
        self._new_ticket_keys()
        eventually(lambda: not self._shake(gateway, session)[1], what="other keys of tickets")

    def _is_passed(self, gateway: Controller) -> bool:
        """Whether a client is shown the backend's certificate, which we have not."""
        with gateway.connect_tls(blind(), PASSED) as client:
            assert isinstance(client.sock, ssl.SSLSocket)
            return serial_of(client.sock.getpeercert(binary_form=True) or b"") == self._theirs.serial

    def _shows(self, gateway: Controller, pair: Pair) -> bool:
        return gateway.get(host=INNER).text == str(pair.serial)

    def _status(self, gateway: Controller, client: Client | None = None) -> int:
        """What a client with this certificate, or with none, is answered."""
        context = client.show_in(blind(), self._folder) if client else blind()
        return gateway.get_tls(context, host=CLOSED).status

    def _shake(self, gateway: Controller, session: ssl.SSLSession | None = None) -> tuple[ssl.SSLSession, bool]:
        """A handshake: its session, and whether it is the one that was to go on."""
        plain = socket.create_connection(gateway.https, timeout=20)
        with plain, self._resuming.wrap_socket(plain, server_hostname=OPEN, session=session) as made:
            assert made.session
            return made.session, bool(made.session_reused)

    # what it is made of

    def _entries(self) -> dict[str, dict[str, str]]:
        own = self.space.namespace
        return {"tcp": {str(self.tcp): f"{own}/shop:80"}, "udp": {str(self.udp): f"{own}/dns:53"}}

    def _new_ticket_keys(self) -> None:
        data = {"ssl-session-ticket-key": secrets.token_bytes(80)}
        self.space.apply(authority_secret("tickets", data, namespace=self.namespace))

    def _ingresses(self) -> None:
        """A host each: plain TLS, one that asks for certificates, one that passes through, one with TLS behind it."""
        own = self.space.namespace
        self.space.ingress("open", Rule("shop", host=OPEN), tls={"tls": [OPEN]})
        asking = {"auth-tls-secret": f"{own}/clients"}
        self.space.ingress("closed", Rule("shop", host=CLOSED), tls={"tls": [CLOSED]}, annotations=asking)
        self.space.ingress("passed", Rule("tls", host=PASSED), annotations={"ssl-passthrough": "true"})
        showing = {"backend-protocol": "HTTPS", "proxy-ssl-secret": f"{own}/ours"}
        self.space.ingress("inner", Rule("tls", host=INNER), annotations=showing)

    def _says_who_came(self) -> Handler:
        """A server with TLS that answers each request with the serial number of the client's certificate."""
        path = self._folder / "theirs.pem"
        path.write_bytes(self._theirs.key + self._theirs.chain)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(path)
        context.load_verify_locations(cadata=self._authority.pem.decode())
        context.verify_mode = ssl.CERT_OPTIONAL

        def handle(peer: Peer) -> None:
            with context.wrap_socket(peer.sock, server_side=True) as connection:
                while connection.recv(65536):
                    shown = connection.getpeercert(binary_form=True)
                    connection.sendall(response(200, str(serial_of(shown) if shown else "none").encode()))

        return handle


def _services() -> list[dict[str, Any]]:
    """At the pod of `shop`: TLS, and UDP."""
    tls = [{"name": "tls", "port": 80, "targetPort": TLS_PORT, "protocol": "TCP"}]
    dns = [{"name": "dns", "port": 53, "targetPort": DNS_PORT, "protocol": "UDP"}]
    return [objects.service_of("shop", "tls", ports=tls), objects.service_of("shop", "dns", ports=dns)]
