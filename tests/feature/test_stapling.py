"""OCSP responses that are stapled: those in Secrets, and those that responders are asked for."""

from __future__ import annotations

import subprocess
from base64 import b64encode
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from cryptography.x509 import ocsp

from tests.support.certificates import Pair, blind
from tests.support.eventually import eventually
from tests.support.fixtures import Backends, Serve
from tests.support.gateway import Served
from tests.support.manifests import Manifest, Rule, ingress, service
from tests.support.ocsp import Issuer, Responder

HOST = "shop.example.com"
DAY = timedelta(days=1)


def stapled(pair: Pair, response: bytes) -> Manifest:
    """The Secret of a certificate with a response."""
    made = pair.secret("cert")
    return {**made, "data": {**made["data"], "tls.ocsp": b64encode(response).decode()}}


def shown(gateway: Served) -> str:
    """What `openssl s_client -status` says of the response that came: its status, or that there is none."""
    host_and_port = f"{gateway.https[0]}:{gateway.https[1]}"
    command = ["openssl", "s_client", "-connect", host_and_port, "-servername", HOST, "-status"]
    done = subprocess.run(command, input=b"", capture_output=True, timeout=30, check=False)
    lines = [line.strip() for line in done.stdout.decode("latin-1").splitlines()]
    return next((line for line in lines if line.startswith(("Cert Status:", "OCSP response: no"))), "")


NONE, GOOD = "OCSP response: no response sent", "Cert Status: good"


@pytest.fixture
def responder() -> Iterator[Responder]:
    """A responder that knows nothing yet."""
    started = Responder()
    yield started
    started.close()


def objects(backends: Backends) -> tuple[Manifest, ...]:
    return service("web", backends("web")), ingress("web", Rule("web", host=HOST), tls={"cert": [HOST]})


def test_the_response_of_a_secret_is_stapled(serve: Serve, backends: Backends) -> None:
    issuer = Issuer()
    pair = issuer.issue(HOST)
    gateway = serve(*objects(backends), files={"cert": [stapled(pair, issuer.answer(pair))]})
    assert shown(gateway) == GOOD
    assert gateway.problems() == []
    gateway.put("cert", pair.secret("cert"))
    gateway.until(lambda: shown(gateway) == NONE)


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ("rubbish", "is not an OCSP response"),
        ("another certificate", "is for another certificate"),
        ("revoked", "says that the certificate is not good"),
        ("over", "is out of date"),
        ("not yet", "is out of date"),
        ("another issuer", "is not signed by the issuer"),
    ],
)
def test_a_response_that_clients_would_refuse_is_a_problem_and_not_stapled(
    serve: Serve, backends: Backends, wrong: str, why: str
) -> None:
    issuer = Issuer()
    pair = issuer.issue(HOST)
    responses: dict[str, Callable[[], bytes]] = {
        "rubbish": lambda: b"rubbish",
        "another certificate": lambda: issuer.answer(issuer.issue(HOST)),
        "revoked": lambda: issuer.answer(pair, status=ocsp.OCSPCertStatus.REVOKED),
        "over": lambda: issuer.answer(pair, since=-2 * DAY, until=-DAY),
        "not yet": lambda: issuer.answer(pair, since=DAY, until=2 * DAY),
        "another issuer": lambda: issuer.answer(pair, signer=Issuer("Issuer")),
    }
    gateway = serve(*objects(backends), files={"cert": [stapled(pair, responses[wrong]())]})
    assert shown(gateway) == NONE
    problem = gateway.problem("InvalidStaple")
    assert (problem["severity"], why in problem["message"]) == ("warning", True), problem
    gateway.put("cert", stapled(pair, issuer.answer(pair)))
    gateway.until(lambda: shown(gateway) == GOOD)
    gateway.until(lambda: not gateway.problems())


def test_a_responder_is_asked_where_that_is_wanted(serve: Serve, backends: Backends, responder: Responder) -> None:
    issuer = Issuer()
    pair = issuer.issue(HOST, responder=responder.url)
    responder.answers[pair.serial] = issuer.answer(pair)
    gateway = serve(*objects(backends), pair.secret("cert"), enable_ocsp=True)
    eventually(lambda: shown(gateway) == GOOD, deadline=40)
    assert set(responder.asked) == {pair.serial}


def test_the_answer_of_a_responder_is_checked(serve: Serve, backends: Backends, responder: Responder) -> None:
    issuer = Issuer()
    pair = issuer.issue(HOST, responder=responder.url)
    responder.answers[pair.serial] = issuer.answer(pair, signer=Issuer("Issuer"))
    gateway = serve(*objects(backends), pair.secret("cert"), enable_ocsp=True)
    eventually(lambda: bool(responder.asked), deadline=40)
    assert shown(gateway) == NONE
    assert gateway.get_tls(blind(), host=HOST).text == "web"


def test_no_responder_is_asked_unless_that_is_wanted(serve: Serve, backends: Backends, responder: Responder) -> None:
    issuer = Issuer()
    pair = issuer.issue(HOST, responder=responder.url)
    gateway = serve(*objects(backends), stapled(pair, issuer.answer(pair)))
    assert shown(gateway) == GOOD
    assert responder.asked == []
