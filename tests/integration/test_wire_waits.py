"""Waits on the upstream side end with their status, and running out of descriptors is a pause, not a spin."""

from __future__ import annotations

import resource
import threading
from contextlib import ExitStack

from tests.support import proc
from tests.support.backend import Exchange
from tests.support.client import RawClient, request_bytes
from tests.support.eventually import DEADLINE
from tests.support.fixtures import Backends, Serve, Spawn
from tests.support.manifests import Rule, ingress, service
from tests.support.stuck import stuck_endpoint

MIB = 1 << 20


def test_an_endpoint_that_does_not_take_the_connection_costs_504(serve: Serve) -> None:
    with stuck_endpoint() as stuck:
        gateway = serve(service("web", stuck), ingress("web", Rule("web"), annotations={"proxy-connect-timeout": "1"}))
        assert gateway.get("/", method="POST").status == 504


def test_a_client_that_leaves_while_connecting_is_not_connected_for(serve: Serve) -> None:
    with stuck_endpoint() as stuck:
        gateway = serve(
            service("web", stuck), ingress("web", Rule("web"), annotations={"proxy-connect-timeout": "3600"})
        )
        for method in ("GET", "POST"):
            with gateway.connect() as client:
                client.send(request_bytes(method, body=b"x" if method == "POST" else b""))
                gateway.until(lambda: gateway.metrics().sum("fastingress_connections_open") == 1)
            gateway.until(lambda: gateway.metrics().sum("fastingress_connections_open") == 0)
        gateway.until(lambda: gateway.metrics().sum("fastingress_requests_total", code="499") == 2)


def test_an_endpoint_that_stops_reading_costs_504(serve: Serve, backends: Backends) -> None:
    done = threading.Event()

    def read_nothing(exchange: Exchange) -> None:
        done.wait(DEADLINE)
        exchange.close()

    gateway = serve(
        service("web", backends("web", read_nothing)),
        ingress("web", Rule("web"), annotations={"proxy-send-timeout": "1", "proxy-body-size": "0"}),
    )
    with gateway.connect() as client:
        sender = threading.Thread(target=lambda: client.try_to_send(request_bytes("POST", body=b"x" * 64 * MIB)))
        sender.start()
        assert client.response("POST").status == 504
        sender.join(DEADLINE)
        assert not sender.is_alive()
    done.set()


def test_running_out_of_descriptors_is_a_pause_and_not_a_spin(spawn: Spawn, backends: Backends) -> None:
    process = spawn(service("web", backends("web")), ingress("web", Rule("web")), workers=1)
    assert process.get("/").status == 200
    before = resource.prlimit(process.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(process.pid, resource.RLIMIT_NOFILE, (proc.descriptors(process.pid) + 10, before[1]))

    def refused() -> float:
        return process.metrics().sum("fastingress_refused_total", reason="descriptors")

    with ExitStack() as stack:
        clients = [stack.enter_context(RawClient(process.http)) for _ in range(40)]
        process.until(lambda: refused() >= 4)
        first, spent = refused(), proc.cpu_seconds(process.pid)
        process.until(lambda: refused() >= first + 4)
        # Pauses double up to half a second: a spin would have been refused many thousand times meanwhile.
        assert refused() - first < 100
        assert proc.cpu_seconds(process.pid) - spent < 1
        resource.prlimit(process.pid, resource.RLIMIT_NOFILE, before)
        assert [client.send(request_bytes()).response().status for client in clients] == [200] * 40
