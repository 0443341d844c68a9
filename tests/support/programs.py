"""Programs of other people that tests run. A test names the fixture of one, and is skipped, loudly, without it."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

_ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Program:
    """One of them."""

    name: str
    remedy: str
    """Where to get it."""
    path: Path | None = None
    """Where it is; without it, wherever PATH says."""

    @property
    def found(self) -> str | None:
        """The file to run."""
        return shutil.which(self.path or self.name)

    def missing(self) -> str:
        """Why it cannot be run; empty when it can."""
        return "" if self.found else f"no {self.name}: {self.remedy}"

    def run(self, *words: str, timeout: float = 60.0, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
        """Runs it to its end, which may be a failure."""
        return subprocess.run(
            [str(self.found), *words],
            input=stdin,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=timeout,
            check=False,
        )


def _debian(package: str) -> str:
    return f"Debian's {package} has it"


PROGRAMS = {
    each.name: each
    for each in (
        Program("curl", _debian("curl")),
        Program("nghttp", _debian("nghttp2-client")),
        Program("h2load", _debian("nghttp2-client")),
        Program("nginx", _debian("nginx")),
        Program("wrk", _debian("wrk")),
        Program("cargo", "rustup installs it"),
        Program("openssl", _debian("openssl")),
        Program(
            "h2spec",
            "`make h2spec` builds it, with Go",
            Path(os.environ.get("H2SPEC_BIN") or _ROOT / "target" / "h2spec") / "h2spec",
        ),
    )
}
"""By name."""
