"""docs/observing.md names every metric, label, field and word that there is, and none that is not."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace as Fake
from typing import cast

import pytest

from fastingress.app.cluster import ClusterSide
from fastingress.app.figures import Figures
from tests.support.certificates import Authority
from tests.support.fixtures import Backends, Serve
from tests.support.manifests import Rule, ingress, service
from tests.support.tcp import free_port, read_all

ROOT = Path(__file__).parents[2]
CORE = ROOT / "rust" / "proxy" / "src"
DOCUMENT = (ROOT / "docs" / "observing.md").read_text(encoding="utf-8")
SUFFIX = {"counter": "_total", "info": "_info"}
OF_ANSWERS_ALONE = {"bad_status", "unexpected_body"}
"""Rules of HTTP that no request can break; an answer that does is a `bad_response`."""


def tables() -> Iterator[list[list[str]]]:
    """The cells of each table of the document, its heading first."""
    for found in re.findall(r"(?:^\|.*\n)+", DOCUMENT, re.MULTILINE):
        lines = found.splitlines()
        yield [[cell.strip() for cell in line.strip("|").split("|")] for line in (lines[0], *lines[2:])]


def documented(heading: str) -> set[str]:
    """The words in the first column of the tables with this heading."""
    rows = [row for first, *rows in tables() if first[0] == heading for row in rows]
    return {word for row in rows for word in re.findall(r"`(\w+)`", row[0])}


def metrics_documented() -> dict[str, set[str]]:
    """Metrics with their labels."""
    rows = [row for first, *rows in tables() if first[0] == "name" for row in rows]
    return {
        name: {label.strip() for label in labels.split(",") if label.strip()}
        for names, labels, _ in rows
        for name in re.findall(r"`(\w+)`", names)
    }


def metrics_in(page: str) -> dict[str, set[str]]:
    """Metrics of an exposition, with all labels that samples have."""
    found: dict[str, set[str]] = {}
    for name, kind in re.findall(r"^# TYPE (\w+) (\w+)$", page, re.MULTILINE):
        name += SUFFIX.get(kind, "")
        samples = re.findall(rf"^{name}(?:_bucket|_count|_sum)?{{([^}}]*)}}", page, re.MULTILINE)
        found[name] = {label for sample in samples for label in re.findall(r'(\w+)="', sample)} - {"le"}
    return found


def words_in(path: str, pattern: str) -> set[str]:
    """The words that a pattern finds in a file of the core, or in those of a folder."""
    at = CORE / path
    files = sorted(at.rglob("*.rs")) if at.is_dir() else [at]
    code = "".join(file.read_text(encoding="utf-8") for file in files if file.stem != "tests")
    found = set(re.findall(pattern, code))
    assert found, f"{path} has nothing of {pattern}: it has moved"
    return found


# metrics


@pytest.fixture
def page(serve: Serve, backends: Backends, authority: Authority) -> str:
    """The metrics of a gateway that has done a little of most things."""
    port = free_port()
    gateway = serve(
        service("web", backends("web")),
        service("none"),
        authority.issue("test.example").secret("cert"),
        ingress("web", Rule("web"), Rule("none", "/none")),
        ingress("tls", Rule("web", host="test.example"), tls={"cert": ["test.example"]}),
        tcp=f"{port}=default/none:80",
    )
    gateway.get()
    gateway.get("/none")
    gateway.get_tls(authority.trusting())
    with socket.create_connection(("127.0.0.1", port), timeout=20) as stream:
        assert read_all(stream) == b""
    gateway.until(lambda: gateway.metrics().sum("fastingress_stream_troubles_total") == 1)
    return gateway.ask("/metrics").text


def page_of_a_cluster() -> str:
    """What a controller has besides."""
    counted = {"word": 1}
    side = Fake(
        source=Fake(counters=lambda: Fake(reachable=True, last_event_age=1.0, relists=counted, resumes=counted)),
        elector=Fake(leading=True),
        status=Fake(counters=Fake(writes=counted, conflicts=0, queued=0)),
        events=Fake(counters=Fake(events=counted, queued=0)),
    )
    return Figures().text("digest", cast("ClusterSide", side))


def test_every_metric_is_documented_and_no_other(page: str) -> None:
    there = {*metrics_in(page), *metrics_in(page_of_a_cluster())}
    assert len(there) > 40
    assert there == set(metrics_documented())


def test_every_label_is_documented_and_no_other(page: str) -> None:
    labelled = {**metrics_in(page), **metrics_in(page_of_a_cluster())}
    seen = {name: labels for name, labels in labelled.items() if labels}
    assert len(seen) > 20
    assert seen == {name: labels for name, labels in metrics_documented().items() if name in seen}


# words


def test_every_reason_of_refusal_is_documented_and_no_other() -> None:
    there = words_in(".", r'metrics\.refused\("(\w+)"\)')
    there |= words_in("accept.rs", r'\n +"(\w+)"\n')  # fn reason
    there |= words_in("proxy_protocol", r'Denied\("(\w+)"\)')
    assert documented("`reason` of `fastingress_refused_total`") == there


def test_every_trouble_of_streams_is_documented_and_no_other() -> None:
    there = words_in("observe/streams.rs", r'Trouble::\w+ => "(\w+)"')
    assert documented("`reason` of `fastingress_stream_troubles_total`") == there


def test_every_reason_of_the_access_log_is_documented_and_no_other() -> None:
    there = words_in("error.rs", r'Failure::\w+(?:\(_\))? => "(\w+)"')
    there |= words_in("upstream/tls.rs", r'TlsFailure::\w+(?:\(_\))? => "(\w+)"')
    there |= words_in("../../http1/src/error.rs", r'Error::\w+ => "(\w+)"') - OF_ANSWERS_ALONE
    there |= words_in("filters", r'Verdict::(?:refuse|redirect)\([^;]*?"(\w+)"\)')
    there |= words_in("filters/client_certificate.rs", r'Outcome::\w+ => "(\w+)"')
    there |= words_in("proxy_protocol", r'Denied\("(\w+)"\)')
    there |= words_in("observe/streams.rs", r'Trouble::(?:Reset|IdleTimeout) => "(\w+)"')
    assert documented("`reason`") == there


def test_reasons_of_the_access_log_come_from_where_they_are_looked_for() -> None:
    """Failures, verdicts of filters, and what ends a stream. Whoever adds another place adds it to the test above."""
    code = {path: path.read_text(encoding="utf-8") for path in CORE.rglob("*.rs") if path.stem != "tests"}
    givers = {str(path.relative_to(CORE)) for path, text in code.items() if "reason = Some(" in text}
    assert givers == {"respond.rs", "stream/account.rs"}
    answers = {str(path.relative_to(CORE)) for path, text in code.items() if "Respond(Local {" in text}
    assert answers == {"filters/mod.rs", "filters/client_certificate.rs"}


def test_every_kind_of_flood_is_documented_and_no_other() -> None:
    page = (ROOT / "docs" / "http2.md").read_text(encoding="utf-8")
    table = page[page.index("| `kind` |") :].partition("\n\n")[0]
    named = set(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)) - {"kind"}
    assert named == words_in("h2/floods.rs", r'Flood::\w+ => "(\w+)"')


def test_every_field_of_a_line_is_documented_and_no_other() -> None:
    there = words_in("observe/line.rs", r'object\.(?:field|optional)\("(\w+)"')
    listed = DOCUMENT[DOCUMENT.index("line always has every field") :].split("\n\n")[1]
    assert set(re.findall(r"`(\w+)`", listed)) == there


def test_every_page_of_the_admin_port_is_documented_and_no_other() -> None:
    there = words_in("observe/admin/pages.rs", r'"/(\w+)" =>')
    rows = [row for first, *rows in tables() if first[0] == "path" for row in rows]
    assert {re.findall(r"`/(\w+)", row[0])[0] for row in rows} == there
