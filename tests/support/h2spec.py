"""Runs h2spec and reads its report. The program is built from its Go module in `tests/conformance/h2spec`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import yaml

from tests.support.client import Address
from tests.support.programs import PROGRAMS

_EXCEPTIONS = Path(__file__).parents[1] / "conformance" / "h2spec" / "exceptions.yaml"


@dataclass(frozen=True)
class Verdict:
    """What came of one case."""

    name: str
    """Group, section and number: `http2/5.1/3`."""
    about: str
    failure: str
    """What it saw; empty when it passed."""
    skipped: bool


def verdicts(address: Address, report: Path, *, tls: bool = False, sections: tuple[str, ...] = ()) -> list[Verdict]:
    """Runs all cases, the strict ones too, against a server that answers `GET /` and `POST /` with 200 and a body."""
    words = ["--strict", "--host", address[0], "--port", str(address[1]), "--junit-report", str(report)]
    words += ["--timeout", "2", *(["--tls", "--insecure"] if tls else []), *sections]
    done = PROGRAMS["h2spec"].run(*words, timeout=600)
    assert report.exists(), done.stdout + done.stderr
    return read(report)


def read(report: Path) -> list[Verdict]:
    """The cases of a JUnit report, in their order."""
    found: list[Verdict] = []
    for suite in ElementTree.parse(report).getroot().iter("testsuite"):
        for number, case in enumerate(suite.iter("testcase"), 1):
            fault = next((child for child in case if child.tag in ("failure", "error")), None)
            found.append(
                Verdict(
                    name=f"{case.get('package')}/{number}",
                    about=case.get("classname") or "",
                    failure="" if fault is None else (fault.text or "failed"),
                    skipped=case.find("skipped") is not None,
                )
            )
    return found


def exceptions(port: str) -> dict[str, str]:
    """The reasons why cases may fail at a port, `tls` or `h2c`, by their names."""
    read: dict[str, dict[str, str]] = yaml.safe_load(_EXCEPTIONS.read_text(encoding="utf-8"))
    return read[port]
