"""Clients' certificates: who is let in, what the backend is told, and every way around that must not be one."""

from __future__ import annotations

import ssl
import subprocess
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote

import pytest
from cryptography.x509.oid import ExtendedKeyUsageOID

from tests.support.backend import Backend
from tests.support.certificates import Authority, blind
from tests.support.client import RawClient, request_bytes
from tests.support.clients import Client, ClientAuthority, authority_secret
from tests.support.fixtures import Backends, Serve
from tests.support.gateway import Served
from tests.support.http1 import Response
from tests.support.http2 import Http2Client
from tests.support.manifests import Manifest, Rule, ingress, service

OPEN, CLOSED, OTHER = "open.example.com", "closed.example.com", "other.example.net"


class Scene(NamedTuple):
    """A gateway with a host that asks for nothing and one that asks for certificates."""

    gateway: Served
    backend: Backend
    clients: ClientAuthority
    folder: Path

    def get(
        self, client: Client | None = None, *, host: str = CLOSED, sni: str = CLOSED, at_most: str = "TLSv1_3"
    ) -> Response:
        """One request over TLS."""
        return self.gateway.get_tls(self.context(client, at_most), host=host, server_name=sni)

    def context(self, client: Client | None = None, at_most: str = "TLSv1_3") -> ssl.SSLContext:
        """A client's side of TLS."""
        context = blind()
        context.maximum_version = ssl.TLSVersion[at_most]
        return client.show_in(context, self.folder) if client else context

    def nothing_came(self) -> bool:
        """Whether the backend saw no request."""
        return not self.backend.requests


class Make:
    """Starts a gateway of that kind."""

    def __init__(self, serve: Serve, backends: Backends, authority: Authority, folder: Path) -> None:
        self._serve = serve
        self._backends = backends
        self._authority = authority
        self._folder = folder

    def __call__(
        self,
        annotations: dict[str, str] | None = None,
        *extra: Manifest,
        secrets: list[Manifest] | None = None,
        clients: ClientAuthority | None = None,
        created: str | None = None,
        **options: object,
    ) -> Scene:
        clients = clients or ClientAuthority()
        backend = self._backends("web")
        asked = {"auth-tls-secret": "default/clients", **(annotations or {})}
        gateway = self._serve(
            service("web", backend),
            self._authority.issue(OPEN, CLOSED, OTHER).secret("cert"),
            ingress("open", Rule("web", host=OPEN), tls={"cert": [OPEN]}),
            ingress("closed", Rule("web", host=CLOSED), tls={"cert": [CLOSED]}, annotations=asked, created=created),
            *extra,
            files={"clients": [clients.secret("clients")] if secrets is None else secrets},
            **options,
        )
        return Scene(gateway, backend, clients, self._folder)


@pytest.fixture
def make(serve: Serve, backends: Backends, authority: Authority, tmp_path: Path) -> Make:
    """Starts a gateway with a host that asks for certificates."""
    return Make(serve, backends, authority, tmp_path)


def is_refused(response: Response) -> bool:
    """A client that shows no certificate, or a bad one, or comes the wrong way."""
    return response.status in (400, 421)


# who is let in


@pytest.mark.parametrize("version", ["TLSv1_2", "TLSv1_3"])
def test_a_certificate_of_the_authority_is_let_in_and_no_other(make: Make, version: str) -> None:
    scene = make()
    stranger = ClientAuthority("Clients").issue("alice")
    none = scene.get(at_most=version)
    assert (none.status, "400 No required SSL certificate was sent" in none.text) == (400, True)
    bad = scene.get(stranger, at_most=version)
    assert (bad.status, "400 The SSL certificate error" in bad.text) == (400, True)
    assert scene.nothing_came()
    assert scene.get(scene.clients.issue("alice"), at_most=version).text == "web"


def test_a_host_that_asks_for_nothing_is_served_as_ever(make: Make) -> None:
    scene = make()
    assert scene.get(host=OPEN, sni=OPEN).text == "web"
    assert scene.get(scene.clients.issue("alice"), host=OPEN, sni=OPEN).text == "web"
    assert scene.backend.last.header("ssl-client-verify") is None


@pytest.mark.parametrize("what", ["expired", "not yet", "for servers"])
def test_a_certificate_that_is_not_to_be_used_now_or_for_this_is_refused(make: Make, what: str) -> None:
    scene = make({"auth-tls-verify-client": "optional_no_ca"} if what != "for servers" else {})
    issue = scene.clients.issue
    client = {
        "expired": lambda: issue("a", begins=timedelta(days=-2), ends=timedelta(days=-1)),
        "not yet": lambda: issue("a", begins=timedelta(days=1), ends=timedelta(days=2)),
        "for servers": lambda: issue("a", usage=ExtendedKeyUsageOID.SERVER_AUTH),
    }[what]()
    assert scene.get(client).status == 400
    assert scene.nothing_came()


def test_an_optional_certificate_may_be_missing_and_must_not_be_bad(make: Make) -> None:
    scene = make({"auth-tls-verify-client": "optional"})
    assert scene.get().text == "web"
    assert scene.backend.last.header("ssl-client-verify") == "NONE"
    assert scene.get(ClientAuthority().issue("alice")).status == 400
    assert scene.get(scene.clients.issue("alice")).text == "web"
    assert scene.backend.last.header("ssl-client-verify") == "SUCCESS"


def test_with_optional_no_ca_the_backend_judges(make: Make) -> None:
    scene = make({"auth-tls-verify-client": "optional_no_ca"})
    assert scene.get(ClientAuthority("Unknown").issue("mallory")).text == "web"
    told = scene.backend.last
    assert told.header("ssl-client-verify") == "FAILED:unable to get local issuer certificate"
    assert told.header("ssl-client-subject-dn") == "CN=mallory"
    assert scene.get(ClientAuthority().issue("mallory")).text == "web"
    assert scene.backend.last.header("ssl-client-verify") == "FAILED:certificate signature failure"


def test_with_off_nothing_is_asked(make: Make) -> None:
    scene = make({"auth-tls-verify-client": "off"})
    assert scene.get().text == "web"


def test_the_chain_may_be_so_long_and_no_longer(make: Make) -> None:
    scene = make()
    second = scene.clients.sub("second")
    assert scene.get(second.issue("alice")).text == "web"
    third = second.sub("third").issue("alice")
    assert scene.get(third).status == 400
    again = ingress(
        "closed",
        Rule("web", host=CLOSED),
        annotations={"auth-tls-secret": "default/clients", "auth-tls-verify-depth": "2"},
        created="2020-01-01T00:00:00Z",
    )
    scene.gateway.put("deeper", {**again, "metadata": {**again["metadata"], "name": "deeper"}})
    scene.gateway.until(lambda: scene.get(third).status == 200)


def test_a_revoked_certificate_is_refused_and_needs_a_list_in_date(make: Make) -> None:
    clients = ClientAuthority()
    alice, bob = clients.issue("alice"), clients.issue("bob")
    scene = make(clients=clients, secrets=[clients.secret("clients", revocations=clients.revoke(alice))])
    assert scene.get(alice).status == 400
    assert scene.nothing_came()
    assert scene.get(bob).text == "web"
    old = clients.revoke(alice, lasts=timedelta(days=-1))
    scene.gateway.put("clients", clients.secret("clients", revocations=old))
    scene.gateway.until(lambda: scene.get(bob).status == 400)


def test_a_subject_is_matched_by_its_common_name(make: Make) -> None:
    scene = make({"auth-tls-match-cn": "CN=(alice|bob)"})
    assert scene.get(scene.clients.issue("alice", organisation="Example")).text == "web"
    assert scene.backend.last.header("ssl-client-subject-dn") == "CN=alice,O=Example"
    assert scene.get(scene.clients.issue("carol")).status == 403
    assert scene.get().status == 400


def test_an_error_page_takes_the_place_of_the_400(make: Make) -> None:
    scene = make({"auth-tls-error-page": "https://help.example.com/certificates"})
    for client in (None, ClientAuthority().issue("alice")):
        answer = scene.get(client)
        assert (answer.status, answer.header("location")) == (302, "https://help.example.com/certificates")
    assert scene.nothing_came()


# what the backend is told


def test_the_backend_is_told_who_came(make: Make) -> None:
    scene = make({"auth-tls-pass-certificate-to-upstream": "true"})
    alice = scene.clients.issue("alice, of é", organisation="Example")
    assert scene.get(alice).text == "web"
    told = scene.backend.last
    assert told.header("ssl-client-verify") == "SUCCESS"
    assert told.header("ssl-client-subject-dn") == "CN=alice\\, of \\C3\\A9,O=Example"
    assert told.header("ssl-client-issuer-dn") == "CN=Clients"
    passed = told.header("ssl-client-cert") or ""
    assert unquote(passed) == alice.pem
    assert " " not in passed


@pytest.mark.parametrize("host", [OPEN, CLOSED])
def test_what_a_client_says_of_its_certificate_never_passes(make: Make, host: str) -> None:
    scene = make({"auth-tls-verify-client": "optional"})
    lies = [
        ("ssl-client-verify", "SUCCESS"),
        ("SSL-Client-Subject-DN", "CN=root"),
        ("ssl-client-cert", "x"),
        ("ssl-client-issuer-dn", "CN=Clients"),
        ("ssl_client_verify", "SUCCESS"),
    ]
    answer = scene.gateway.get_tls(scene.context(), host=host, headers=lies)
    assert answer.status == 200
    told = {name.lower(): value for name, value in scene.backend.last.headers if "client" in name.lower()}
    assert told == ({"ssl-client-verify": "NONE"} if host == CLOSED else {})


# ways around


def test_a_certificate_shown_to_another_name_opens_nothing(make: Make) -> None:
    """The name of the connection says which policy it was made under, and Host does not change that."""
    scene = make()
    alice = scene.clients.issue("alice")
    for client in (None, alice):
        answer = scene.get(client, host=CLOSED, sni=OPEN)
        assert (answer.status, answer.header("connection")) == (421, "close")
        assert scene.get(client, host=OPEN, sni=CLOSED).status == 421
        assert scene.get(client, host=CLOSED.upper(), sni=OPEN).status == 421
        assert scene.get(client, host=f"{CLOSED}.:443", sni=OPEN).status == 421
    assert scene.nothing_came()


def test_over_http2_each_stream_is_judged(make: Make) -> None:
    scene = make()
    alice = scene.clients.issue("alice")
    for client in (None, alice):
        with Http2Client(scene.gateway.https, tls=scene.context(client), server_name=OPEN) as connection:
            assert connection.ask(host=CLOSED).status == 421
            assert connection.ask(host=OPEN).text == "web"
    with Http2Client(scene.gateway.https, tls=scene.context(), server_name=CLOSED) as connection:
        assert connection.ask(host=CLOSED).status == 400
        assert connection.ask(host=OPEN).status == 421
    assert len(scene.backend.requests) == 2
    with Http2Client(scene.gateway.https, tls=scene.context(alice), server_name=CLOSED) as connection:
        assert connection.ask(host=CLOSED).text == "web"
        assert scene.backend.last.header("ssl-client-verify") == "SUCCESS"
        scene.gateway.put("clients", ClientAuthority().secret("clients"))
        scene.gateway.until(lambda: scene.get(alice).status == 400)
        assert connection.ask(host=CLOSED).status == 421


def test_an_absolute_target_names_the_host_as_well_as_host_does(make: Make) -> None:
    scene = make()
    with scene.gateway.connect_tls(scene.context(), OPEN) as client:
        client.send(request_bytes("GET", f"https://{CLOSED}/", host=OPEN))
        assert client.response().status == 421
    assert scene.nothing_came()


def test_the_policy_of_one_host_does_not_open_that_of_another(make: Make) -> None:
    others = ClientAuthority("Others")
    scene = make(
        None,
        others.secret("others"),
        ingress("other", Rule("web", host=OTHER), annotations={"auth-tls-secret": "default/others"}),
    )
    mine, theirs = scene.clients.issue("alice"), others.issue("alice")
    assert scene.get(mine).text == "web"
    assert scene.get(theirs, host=OTHER, sni=OTHER).text == "web"
    seen = len(scene.backend.requests)
    assert scene.get(theirs).status == 400
    assert scene.get(mine, host=OTHER, sni=CLOSED).status == 421
    assert scene.get(mine, host=CLOSED, sni=OTHER).status == 421
    assert len(scene.backend.requests) == seen


def test_without_a_server_name_nothing_opens(make: Make) -> None:
    scene = make()
    context = scene.context(scene.clients.issue("alice"))
    with RawClient(scene.gateway.https, tls=context) as client:
        assert client.send(request_bytes(host=CLOSED)).response().status == 421
    assert scene.nothing_came()


def test_on_the_plain_port_nothing_opens(make: Make) -> None:
    scene = make({"ssl-redirect": "false"})
    assert scene.gateway.get(host=CLOSED).status == 400
    assert scene.nothing_came()


def test_on_the_plain_port_a_client_is_sent_to_https_first(make: Make) -> None:
    scene = make()
    answer = scene.gateway.get(host=CLOSED)
    assert (answer.status, answer.header("location")) == (308, f"https://{CLOSED}/")


def resume(
    scene: Scene,
    sni: str,
    session: Path,
    *,
    host: str,
    version: str,
    save: bool = False,
    client: Path | None = None,
) -> str:
    """What `openssl s_client` prints that keeps its session, or comes with a kept one."""
    host_and_port = f"{scene.gateway.https[0]}:{scene.gateway.https[1]}"
    command = ["openssl", "s_client", "-connect", host_and_port, "-servername", sni, version, "-ign_eof"]
    command += ["-sess_out" if save else "-sess_in", str(session)]
    command += ["-cert", str(client), "-key", str(client)] if client else []
    lines = f"GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
    done = subprocess.run(command, input=lines.encode(), capture_output=True, timeout=30, check=False)
    return done.stdout.decode("latin-1")


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
def test_a_ticket_of_another_host_opens_nothing(make: Make, tmp_path: Path, version: str) -> None:
    scene = make()
    alice = scene.clients.issue("alice").write(tmp_path / "alice.pem")
    session = tmp_path / "session"
    assert "200 Test" in resume(scene, OPEN, session, host=OPEN, save=True, client=alice, version=version)
    again = resume(scene, OPEN, session, host=OPEN, version=version)
    assert "Reused, TLS" in again
    assert "200 Test" in again
    assert "421 Misdirected" in resume(scene, OPEN, session, host=CLOSED, version=version)
    other = resume(scene, CLOSED, session, host=CLOSED, version=version)
    assert "Reused, TLS" not in other
    assert "400 Bad Request" in other


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
def test_no_session_opens_a_host_whose_authority_is_gone(make: Make, tmp_path: Path, version: str) -> None:
    """Neither its own, should one ever be given out, nor that of a host that asks for nothing."""
    scene = make()
    alice = scene.clients.issue("alice")
    shown = alice.write(tmp_path / "alice.pem")
    for sni in (OPEN, CLOSED):
        first = resume(scene, sni, tmp_path / sni, host=sni, save=True, client=shown, version=version)
        assert "200 Test" in first
    sessions = [tmp_path / sni for sni in (OPEN, CLOSED) if (tmp_path / sni).exists()]
    assert tmp_path / OPEN in sessions
    scene.gateway.remove("clients")
    scene.gateway.until(lambda: scene.get(alice).status == 400)
    for session in sessions:
        again = resume(scene, CLOSED, session, host=CLOSED, client=shown, version=version)
        assert "Reused, TLS" not in again
        assert "400 Bad Request" in again


@pytest.mark.parametrize("change", ["removed", "replaced", "revoked"])
def test_an_open_connection_does_not_outlive_its_authority(make: Make, change: str) -> None:
    scene = make()
    alice = scene.clients.issue("alice")
    context = scene.context(alice)
    with scene.gateway.connect_tls(context, CLOSED) as client:
        assert client.send(request_bytes(host=CLOSED)).response().status == 200
        if change == "removed":
            scene.gateway.remove("clients")
        elif change == "replaced":
            scene.gateway.put("clients", ClientAuthority().secret("clients"))
        else:
            scene.gateway.put("clients", scene.clients.secret("clients", revocations=scene.clients.revoke(alice)))
        # A new connection shows when the change is live.
        scene.gateway.until(lambda: scene.get(alice).status == 400)
        seen = len(scene.backend.requests)
        assert client.send(request_bytes(host=CLOSED)).response().status == 421
        assert client.is_closed()
    assert len(scene.backend.requests) == seen


def test_an_open_connection_does_not_outlive_its_policy(make: Make) -> None:
    scene = make()
    stricter = {"auth-tls-secret": "default/clients", "auth-tls-match-cn": "CN=bob"}
    older = ingress("older", Rule("web", "/x", host=OPEN), annotations=stricter, created="2020-01-01T00:00:00Z")
    with scene.gateway.connect_tls(scene.context(), OPEN) as client:
        assert client.send(request_bytes(host=OPEN)).response().status == 200
        scene.gateway.put("older", older)
        scene.gateway.until(lambda: scene.get(host=OPEN, sni=OPEN).status == 400)
        assert client.send(request_bytes(host=OPEN)).response().status == 421


def test_a_wildcard_host_asks_for_what_it_says(make: Make) -> None:
    scene = make(
        None,
        ingress("wild", Rule("web", host="*.wild.example"), annotations={"auth-tls-secret": "default/clients"}),
        ingress("precise", Rule("web", "/own", host="a.wild.example")),
    )
    alice = scene.clients.issue("alice")
    for name in ("b.wild.example", "a.wild.example"):
        assert scene.get(host=name, sni=name).status == 400
        assert scene.get(alice, host=name, sni=name).text == "web"
    own = scene.gateway.get_tls(scene.context(), "/own", host="a.wild.example")
    assert own.text == "web"


def test_rules_without_a_host_ask_for_what_they_say(make: Make) -> None:
    scene = make(None, ingress("any", Rule("web"), annotations={"auth-tls-secret": "default/clients"}))
    alice = scene.clients.issue("alice")
    for name in ("unknown.example", "another.example"):
        assert scene.get(host=name, sni=name).status == 400
        assert scene.get(alice, host=name, sni=name).text == "web"
    with RawClient(scene.gateway.https, tls=scene.context()) as client:
        assert client.send(request_bytes(host="unknown.example")).response().status == 400


# what is wrong with the configuration


@pytest.mark.parametrize("broken", ["missing", "no authority", "garbage", "broken list"])
@pytest.mark.parametrize("verify", ["on", "optional"])
def test_a_broken_secret_closes_the_host_and_is_a_problem(make: Make, broken: str, verify: str) -> None:
    clients = ClientAuthority()
    data = {
        "no authority": {"tls.crt": clients.pem},
        "garbage": {"ca.crt": b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"},
        "broken list": {"ca.crt": clients.pem, "ca.crl": b"nothing"},
    }
    secrets = [] if broken == "missing" else [authority_secret("clients", data[broken])]
    scene = make({"auth-tls-verify-client": verify, "ssl-redirect": "false"}, secrets=secrets, clients=clients)
    for client in (None, clients.issue("alice")):
        assert scene.get(client).status == 400
    assert scene.gateway.get(host=CLOSED).status == 400
    assert scene.nothing_came()
    assert scene.get(host=OPEN, sni=OPEN).text == "web"
    code = {"missing": "MissingSecret", "no authority": "InvalidSecret"}.get(broken, "InvalidAuthority")
    assert "clients" in scene.gateway.problem(code)["message"]
    scene.gateway.put("clients", clients.secret("clients"))
    scene.gateway.until(lambda: scene.get(clients.issue("alice")).status == 200)
    scene.gateway.until(lambda: not scene.gateway.problems())


@pytest.mark.parametrize(
    ("annotation", "value"),
    [
        ("auth-tls-secret", "clients"),
        ("auth-tls-verify-client", "sometimes"),
        ("auth-tls-verify-depth", "-1"),
        ("auth-tls-match-cn", "O=Example"),
        ("auth-tls-match-cn", "CN=(alice"),
    ],
)
def test_an_annotation_that_cannot_be_read_closes_the_host(make: Make, annotation: str, value: str) -> None:
    scene = make({annotation: value})
    assert is_refused(scene.get(scene.clients.issue("alice")))
    assert scene.nothing_came()
    assert annotation in scene.gateway.problem("InvalidAnnotation")["message"]


@pytest.mark.parametrize("allowed", [False, True])
def test_a_secret_of_another_namespace_needs_to_be_allowed(make: Make, allowed: bool) -> None:
    clients = ClientAuthority()
    scene = make(
        {"auth-tls-secret": "elsewhere/clients"},
        secrets=[clients.secret("clients", namespace="elsewhere")],
        clients=clients,
        allow_cross_namespace_resources=allowed,
    )
    assert scene.get(clients.issue("alice")).status == (200 if allowed else 400)
    if not allowed:
        assert "elsewhere/clients" in scene.gateway.problem("ForeignSecret")["message"]


def test_of_several_policies_of_a_host_that_of_the_oldest_holds(make: Make) -> None:
    others = ClientAuthority("Others")
    scene = make(
        None,
        others.secret("others"),
        ingress(
            "younger",
            Rule("web", "/younger", host=CLOSED),
            annotations={"auth-tls-secret": "default/others"},
            created="2030-01-01T00:00:00Z",
        ),
        created="2020-01-01T00:00:00Z",
    )
    assert scene.get(scene.clients.issue("alice")).text == "web"
    assert scene.get(others.issue("alice")).status == 400
    assert "closed" in scene.gateway.problem("ConflictLost")["message"]


def test_conditions_without_an_authority_are_told_to_be_without_effect(serve: Serve, backends: Backends) -> None:
    condition = {"auth-tls-match-cn": "CN=alice"}
    gateway = serve(service("web", backends("web")), ingress("web", Rule("web", host=OPEN), annotations=condition))
    assert "auth-tls-secret" in gateway.problem("IncompleteAnnotation")["message"]
