"""The floods, as data: what each consists of, what ends it, and what it may cost."""

from __future__ import annotations

from dataclasses import dataclass

from tests.floods import attacks
from tests.floods.line import Attack

CALM, NO_ERROR = "ENHANCE_YOUR_CALM", "NO_ERROR"
TIMED_OUT = "408"
"""The status of a request whose body does not come."""
MIB = 1 << 20


@dataclass(frozen=True)
class Flood:
    """One of them."""

    attack: Attack
    counted_as: tuple[str, ...] = ()
    """What our metrics may count each end of a connection as: kinds of floods, or a status. Without one, as nothing."""
    codes: tuple[str, ...] = (CALM,)
    """Codes of the GOAWAY with which a connection ends."""
    lasts: bool = False
    """Connections need not end: their requests do."""
    connections: int = 4
    reads: bool = True
    """The client reads what comes."""
    growth: int = 96 * MIB
    """By how many bytes the memory of a server may grow."""

    @property
    def name(self) -> str:
        """As the command takes it."""
        return self.attack.__name__.replace("_", "-") + ("" if self.reads else "-unread")


_PROVOKED = ("provoked_reset", "rapid_reset")
"""Streams beyond the limit are reset before anybody looks at them, and count as the second."""
_CALM_OR_ERROR = (CALM, "PROTOCOL_ERROR", "STREAM_CLOSED", "FLOW_CONTROL_ERROR", "FRAME_SIZE_ERROR")
"""What a provoked error ends in: it may be one of the connection from the start."""

FLOODS: dict[str, Flood] = {
    flood.name: flood
    for flood in (
        Flood(attacks.rapid_reset, ("rapid_reset",)),
        Flood(attacks.rapid_reset, ("rapid_reset",), reads=False),
        Flood(attacks.zero_increments, _PROVOKED, _CALM_OR_ERROR),
        Flood(attacks.overflown_windows, _PROVOKED, _CALM_OR_ERROR),
        Flood(attacks.data_after_the_end, _PROVOKED, _CALM_OR_ERROR),
        Flood(attacks.headers_after_the_end, _PROVOKED, _CALM_OR_ERROR),
        Flood(attacks.own_parents, (*_PROVOKED, "priority"), _CALM_OR_ERROR),
        Flood(attacks.own_parents_at_birth, _PROVOKED, _CALM_OR_ERROR),
        Flood(attacks.short_priorities, _PROVOKED, _CALM_OR_ERROR),
        Flood(attacks.wrong_lengths, _PROVOKED, _CALM_OR_ERROR),
        Flood(attacks.malformed_requests, _PROVOKED, _CALM_OR_ERROR),
        Flood(attacks.settings_frames, ("settings",)),
        Flood(attacks.settings_frames, ("settings",), reads=False),
        Flood(attacks.settings_values, ("settings",)),
        Flood(attacks.pings, ("ping",)),
        Flood(attacks.pings, ("ping",), reads=False),
        Flood(attacks.empty_data, ("empty_frames",)),
        Flood(attacks.padded_data, ("empty_frames",)),
        Flood(attacks.empty_headers, ("empty_frames", *_PROVOKED), _CALM_OR_ERROR),
        Flood(attacks.priorities, ("priority",)),
        Flood(attacks.window_updates, ("window_update",)),
        Flood(attacks.unknown_frames, ("unknown_frames",)),
        Flood(attacks.empty_continuations, ("continuation",)),
        Flood(attacks.full_continuations, ("continuation", "header_bomb")),
        Flood(attacks.header_bomb, ("header_bomb",), (CALM, "COMPRESSION_ERROR")),
        Flood(attacks.many_fields, ("header_bomb",), (CALM, "COMPRESSION_ERROR")),
        Flood(attacks.cookie_crumbs, ("header_bomb",), (CALM, "COMPRESSION_ERROR")),
        Flood(attacks.table_sizes, ("header_bomb", *_PROVOKED), (CALM, "COMPRESSION_ERROR")),
        Flood(attacks.slow_headers, ("continuation", "slow_head")),
        Flood(attacks.closed_windows, ("slow_window",)),
        Flood(attacks.narrow_windows, ("slow_window",)),
        Flood(attacks.slow_bodies, (TIMED_OUT,), (NO_ERROR,), lasts=True),
        Flood(attacks.idle, (), (NO_ERROR,), connections=500),
    )
}
"""By name."""
