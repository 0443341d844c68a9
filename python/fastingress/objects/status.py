"""The part of a status that Services and Ingresses share: where they can be reached from outside."""

from __future__ import annotations

from msgspec import Struct


class LoadBalancerIngress(Struct, frozen=True, rename="camel", omit_defaults=True, gc=False, order=True):
    """One address: an IP or a host name."""

    ip: str = ""
    hostname: str = ""


class LoadBalancerStatus(Struct, frozen=True, rename="camel", omit_defaults=True, gc=False):
    """All addresses."""

    ingress: tuple[LoadBalancerIngress, ...] = ()
