"""The proxies that are compared, in the order of the table."""

from __future__ import annotations

from benches.compare.peers.base import Peer
from benches.compare.peers.fastingress import Fastingress
from benches.compare.peers.haproxy import HAProxy
from benches.compare.peers.nginx import Nginx

PEERS: tuple[type[Peer], ...] = (Fastingress, Nginx, HAProxy)

__all__ = ["PEERS", "Peer"]
