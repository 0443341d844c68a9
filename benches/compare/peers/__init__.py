"""The proxies that are compared, in the order of the table."""

from __future__ import annotations

from benches.compare.peers.base import Peer
from benches.compare.peers.caddy import Caddy
from benches.compare.peers.envoy import Envoy
from benches.compare.peers.fastingress import Fastingress
from benches.compare.peers.haproxy import HAProxy
from benches.compare.peers.nginx import CurrentNginx, Nginx
from benches.compare.peers.relay import Relay
from benches.compare.peers.traefik import Traefik

PEERS: tuple[type[Peer], ...] = (Fastingress, Nginx, CurrentNginx, HAProxy, Envoy, Traefik, Caddy, Relay)

__all__ = ["PEERS", "Peer"]
