"""Builds a current nginx with a current OpenSSL: Debian's are some years old.

The sources are those of two crates that carry them, which cargo brings; nothing of the crates themselves is built. What
is not asked of it is left out: regular expressions, rewriting and compression need libraries of their own.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

CRATES = {"nginx-src": "=1.28.5", "openssl-src": "=300.6.1"}
"""Of nginx 1.28.3 and OpenSSL 3.6.3."""
MANIFEST = """
[package]
name = "sources"
version = "0.0.0"
edition = "2021"
[lib]
path = "none.rs"
[dependencies]
{crates}
[workspace]
"""
WITHOUT = ("pcre", "http_rewrite_module", "http_gzip_module")
WITH = ("http_ssl_module", "http_v2_module", "http_v3_module", "stream", "stream_ssl_preread_module")
OPENSSL_WITHOUT = ("tests", "docs", "apps", "legacy")


def build(program: Path) -> str:
    """Puts the program there. Why that failed, in a few words, or empty: it takes minutes."""
    if not shutil.which("cargo"):
        return "there is no cargo to bring its sources"
    program.parent.mkdir(parents=True, exist_ok=True)
    log = program.parent / "nginx.log"
    with tempfile.TemporaryDirectory(dir=program.parent, prefix="build-") as folder, log.open("wb") as output:
        try:
            nginx, openssl = _sources(Path(folder))
            for command in (configure(openssl), ["make", f"-j{os.cpu_count() or 1}"]):
                subprocess.run(command, cwd=nginx, stdin=subprocess.DEVNULL, stdout=output, stderr=output, check=True)
            (nginx / "objs" / "nginx").replace(program)
        except (subprocess.CalledProcessError, OSError, StopIteration) as error:
            return f"{error}; see {log}"
    return ""


def configure(openssl: Path) -> list[str]:
    """Run where nginx's sources are. Optimised as distributions do."""
    return [
        "sh",
        "auto/configure",
        "--error-log-path=stderr",
        "--http-log-path=/dev/null",
        "--with-cc-opt=-O2",
        f"--with-openssl={openssl}",
        f"--with-openssl-opt={' '.join(f'no-{part}' for part in OPENSSL_WITHOUT)}",
        *(f"--without-{part}" for part in WITHOUT),
        *(f"--with-{part}" for part in WITH),
    ]


def _sources(folder: Path) -> tuple[Path, Path]:
    """Copies of those of nginx and OpenSSL, in which may be built."""
    crates = "\n".join(f'{name} = "{version}"' for name, version in CRATES.items())
    (folder / "Cargo.toml").write_text(MANIFEST.format(crates=crates), encoding="utf-8")
    (folder / "none.rs").touch()
    command = ["cargo", "metadata", "--format-version", "1"]
    found = json.loads(subprocess.run(command, cwd=folder, stdout=subprocess.PIPE, check=True).stdout)["packages"]
    at = {each["name"]: Path(each["manifest_path"]).parent for each in found}
    copies = folder / "nginx", folder / "openssl"
    for crate, copy in zip(CRATES, copies, strict=True):
        shutil.copytree(at[crate] / copy.name, copy)
    return copies
