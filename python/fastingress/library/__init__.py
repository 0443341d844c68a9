"""The front door for programs: which rule takes a URL and why, and a gateway for tests.

The command line is built on it.
"""

from __future__ import annotations

from fastingress.library.gateway import Gateway
from fastingress.library.table import RouteTable
from fastingress.library.views import ClientDemand, Explanation, Loser, Match, PortView, RouteView

__all__ = ["ClientDemand", "Explanation", "Gateway", "Loser", "Match", "PortView", "RouteTable", "RouteView"]
