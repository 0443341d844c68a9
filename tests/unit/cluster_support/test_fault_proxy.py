"""The fault proxy does to requests and watches what it says."""

from __future__ import annotations

import http.client
import json
import ssl
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from tests.cluster.support import faults
from tests.cluster.support.fault_proxy import FaultProxy
from tests.support.eventually import eventually
from tests.unit.cluster_support.script import LINES, ScriptedServer

LIST = "/api/v1/things"
WATCH = "/api/v1/things?watch=true"


class Client:
    """Asks the proxy, as a controller would."""

    def __init__(self, proxy: FaultProxy, trust: ssl.SSLContext) -> None:
        self._proxy = proxy
        self._trust = trust
        self.kept: list[http.client.HTTPConnection] = []

    def ask(self, target: str = LIST, method: str = "GET", body: bytes | None = None) -> http.client.HTTPResponse:
        connection = http.client.HTTPSConnection(*self._proxy.address, context=self._trust, timeout=10)
        self.kept.append(connection)
        connection.request(method, target, body=body, headers={"Authorization": "Bearer abc", "User-Agent": "us/1"})
        return connection.getresponse()

    def watch(self) -> http.client.HTTPResponse:
        """A watch whose first lines have come."""
        response = self.ask(WATCH)
        assert [response.readline() for _ in LINES] == LINES
        return response


@pytest.fixture
def client(proxy: FaultProxy, trust: ssl.SSLContext) -> Iterator[Client]:
    made = Client(proxy, trust)
    yield made
    for connection in made.kept:
        connection.close()


# passing on


def test_what_is_asked_and_answered_is_passed_on(proxy: FaultProxy, server: ScriptedServer, client: Client) -> None:
    response = client.ask(f"{LIST}?fieldSelector=a%3Db")
    assert (response.status, json.loads(response.read())["items"]) == (200, [{"n": 0}])
    assert response.headers["Audit-Id"] == "1"
    assert client.ask(LIST, "POST", b'{"a":1}').status == 201
    assert server.requests == [
        ("GET", f"{LIST}?fieldSelector=a%3Db", "Bearer abc", b""),
        ("POST", LIST, "Bearer abc", b'{"a":1}'),
    ]


def test_calls_are_recorded_with_their_status(proxy: FaultProxy, client: Client) -> None:
    client.ask("/apis/networking.k8s.io/v1/namespaces/shop/ingresses/web/status").read()
    client.ask(LIST, "POST", b"{}").read()
    first, second = proxy.calls()
    assert (first.verb, first.resource, first.namespace, first.name) == ("get", "ingresses/status", "shop", "web")
    assert (first.status, first.agent) == (200, "us/1")
    assert (second.verb, second.status) == ("create", 201)
    assert proxy.count(verb="create") == 1
    proxy.forget_calls()
    assert proxy.count() == 0


def test_lines_of_a_watch_come_as_they_are_said(proxy: FaultProxy, server: ScriptedServer, client: Client) -> None:
    watch = client.watch()
    server.say(b'{"type":"BOOKMARK"}\n')
    assert watch.readline() == b'{"type":"BOOKMARK"}\n'
    assert [each.call.resource for each in proxy.watches()] == ["things"]


def test_a_client_that_goes_takes_its_watch_with_it(proxy: FaultProxy, server: ScriptedServer, client: Client) -> None:
    watch = client.watch()
    watch.close()
    client.kept[-1].close()
    eventually(lambda: server.open_watches == 0)
    eventually(lambda: not proxy.watches())


# new requests


def test_a_request_is_reset(proxy: FaultProxy, client: Client) -> None:
    with proxy.fault(faults.Reset()), pytest.raises(ConnectionResetError):
        client.ask()
    assert client.ask().status == 200


def test_a_fault_befalls_only_what_it_is_for(proxy: FaultProxy, client: Client) -> None:
    with proxy.fault(faults.server_error(), verb="list", resource="things") as fault:
        assert client.ask().status == 500
        assert client.ask("/version").status == 200
        client.watch()
    assert [call.fault for call in fault.hits] == ["Answer"]
    assert [call.status for call in proxy.calls()] == [500, 200, 200]


def test_a_fault_can_be_for_some_calls_only(proxy: FaultProxy, client: Client) -> None:
    proxy.fault(faults.too_many(7), times=2)
    answers = [client.ask() for _ in range(3)]
    assert [each.status for each in answers] == [429, 429, 200]
    assert answers[0].headers["Retry-After"] == "7"


@pytest.mark.parametrize(
    ("action", "code", "reason"),
    [
        (faults.gone(), 410, "Expired"),
        (faults.unprocessable(), 422, "Invalid"),
        (faults.gateway_timeout(), 504, "Timeout"),
        (faults.server_error(), 500, "InternalError"),
        (faults.forbidden(), 403, "Forbidden"),
        (faults.unauthorized(), 401, "Unauthorized"),
    ],
)
def test_failures_are_worded_as_the_api_server_does(
    proxy: FaultProxy, client: Client, action: faults.Answer, code: int, reason: str
) -> None:
    with proxy.fault(action):
        response = client.ask()
    said = json.loads(response.read())
    assert (response.status, said["kind"], said["code"], said["reason"]) == (code, "Status", code, reason)


def test_a_failure_can_come_as_the_first_line_of_a_watch(proxy: FaultProxy, client: Client) -> None:
    with proxy.fault(faults.gone_in_stream(), verb="watch"):
        response = client.ask(WATCH)
        assert response.status == 200
        said = json.loads(response.readline())
    assert (said["type"], said["object"]["code"]) == ("ERROR", 410)
    assert response.read() == b""


def test_a_stalled_request_is_never_answered(proxy: FaultProxy, client: Client, server: ScriptedServer) -> None:
    answered = threading.Event()

    def ask() -> None:
        try:
            client.ask()
        except OSError:
            return  # the proxy's end
        answered.set()

    asking = threading.Thread(target=ask)
    with proxy.fault(faults.Stall(), verb="list") as fault:
        asking.start()
        eventually(lambda: fault.hits)
    assert client.ask("/version").status == 200
    assert not answered.is_set()
    assert [target for _, target, *_ in server.requests] == ["/version"]
    proxy.break_connections()
    asking.join(10)
    assert not asking.is_alive()


def test_an_answer_is_late(proxy: FaultProxy, client: Client) -> None:
    before = time.monotonic()
    with proxy.fault(faults.Delay(0.2)):
        assert client.ask().status == 200
    assert time.monotonic() - before >= 0.2


def test_garbage_is_not_http(proxy: FaultProxy, client: Client) -> None:
    with proxy.fault(faults.Garbage()), pytest.raises(http.client.HTTPException):
        client.ask()


def test_the_items_of_a_list_are_null(proxy: FaultProxy, client: Client) -> None:
    with proxy.fault(faults.NullItems(), verb="list"):
        assert json.loads(client.ask().read()) == {"kind": "ThingList", "items": None}


def test_a_body_is_cut_short(proxy: FaultProxy, client: Client) -> None:
    with proxy.fault(faults.CutBody(10)), pytest.raises(http.client.IncompleteRead) as cut:
        client.ask().read()
    assert len(cut.value.partial) == 10
    with proxy.fault(faults.CutBody(10, clean=True)):
        assert client.ask().read() == b'{"kind": "'


# watches that are open


def test_an_open_watch_is_reset(proxy: FaultProxy, client: Client) -> None:
    watch = client.watch()
    proxy.watches()[0].reset()
    with pytest.raises((ConnectionResetError, http.client.IncompleteRead)):
        watch.read()
    eventually(lambda: not proxy.watches())


def test_an_open_watch_ends_well(proxy: FaultProxy, client: Client, server: ScriptedServer) -> None:
    watch = client.watch()
    proxy.watches()[0].finish()
    assert watch.read() == b""
    eventually(lambda: server.open_watches == 0)


def test_an_open_watch_expires(proxy: FaultProxy, client: Client) -> None:
    watch = client.watch()
    proxy.watches()[0].expire()
    assert watch.readline() == faults.error_line()
    assert watch.read() == b""


def test_an_open_watch_says_what_a_test_wants(proxy: FaultProxy, client: Client) -> None:
    watch = client.watch()
    proxy.watches()[0].send(b"no json\n")
    assert watch.readline() == b"no json\n"


@pytest.mark.parametrize("clean", [False, True])
def test_a_line_is_cut_in_half(proxy: FaultProxy, client: Client, server: ScriptedServer, clean: bool) -> None:
    watch = client.watch()
    proxy.watches()[0].cut(clean=clean)
    server.say(b"0123456789012345678\n")
    if clean:
        assert watch.read() == b"0123456789"
    else:
        with pytest.raises(http.client.IncompleteRead) as cut:
            watch.read()
        assert cut.value.partial == b"0123456789"


def test_an_open_watch_stalls_and_resumes(proxy: FaultProxy, client: Client, server: ScriptedServer) -> None:
    watch = client.watch()
    proxy.watches()[0].stall()
    server.say(b"late\n")
    sock = client.kept[-1].sock
    assert sock
    sock.settimeout(0.2)
    with pytest.raises(TimeoutError):
        sock.recv(1)
    sock.settimeout(10)
    proxy.watches()[0].resume()
    assert b"late\n" in sock.recv(100)
    watch.close()


# all connections


def test_connections_are_refused_and_come_back_at_the_same_address(proxy: FaultProxy, client: Client) -> None:
    watch = client.watch()
    with proxy.away():
        with pytest.raises(ConnectionRefusedError):
            client.ask()
        with pytest.raises((ConnectionResetError, http.client.IncompleteRead)):
            watch.read()
    assert client.ask().status == 200


def test_all_is_silent(
    proxy: FaultProxy, client: Client, server: ScriptedServer, impatient: Callable[[], bool]
) -> None:
    client.watch()
    with proxy.silent():
        server.say(b"unheard\n")
        assert impatient()
    assert client.ask().status == 200
    assert [watch.lines for watch in proxy.watches()] == [len(LINES)]


@pytest.fixture
def impatient(proxy: FaultProxy, trust: ssl.SSLContext) -> Callable[[], bool]:
    """A client that gives up soon; True when it had to."""

    def ask() -> bool:
        connection = http.client.HTTPSConnection(*proxy.address, context=trust, timeout=0.3)
        try:
            connection.request("GET", LIST)
            connection.getresponse()
        except TimeoutError:
            return True
        finally:
            connection.close()
        return False

    return ask


def test_an_api_server_that_is_away_looks_like_a_broken_connection(
    server: ScriptedServer, proxy: FaultProxy, client: Client
) -> None:
    with FaultProxy(("127.0.0.1", 1), ca=server.ca, ca_key=server.ca_key) as nowhere:
        lost = Client(nowhere, ssl.create_default_context(cafile=server.ca))
        with pytest.raises((ConnectionResetError, http.client.RemoteDisconnected)):
            lost.ask()
        lost.kept[0].close()
