"""A relay that does nothing but move bytes: what a proxy would cost if HTTP cost nothing."""

from __future__ import annotations

from benches.compare.peers.base import Peer
from benches.compare.scenario import Way


class Relay(Peer):
    """The program in `benches/relay`."""

    name = "bare relay"
    program = "fastingress-bench-relay"
    is_floor = True

    logs = False

    @classmethod
    def version(cls) -> str:
        return "of this project"

    @classmethod
    def missing(cls, way: Way) -> str:
        return super().missing(way) or (
            "" if way in ("http1", "tcp", "websocket") else "it does nothing but move bytes"
        )

    def command(self) -> list[str]:
        self.stream_port = self.port
        return [self.path(), str(self.port), str(self.backend)]
