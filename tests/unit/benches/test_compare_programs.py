"""Programs that are built for the comparison: what cannot be had is said, and nothing half made is left."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from benches.compare import current_nginx, programs
from benches.compare.peers.nginx import CurrentNginx, Nginx


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """Where it is to be."""
    return tmp_path / "nginx" / "nginx-current"


def cargo(folder: Path) -> Any:
    """Stands in for what runs programs: cargo finds two crates, of which the first would build a `program`."""
    for crate, sources in (("nginx-src", "nginx"), ("openssl-src", "openssl")):
        (folder / crate / sources).mkdir(parents=True)

    def run(command: list[str], *, cwd: Path, **_: Any) -> Any:
        if command[0] == "cargo":
            manifests = {name: str(folder / name / "Cargo.toml") for name in current_nginx.CRATES}
            packages = [{"name": name, "manifest_path": path} for name, path in manifests.items()]
            return SimpleNamespace(stdout=json.dumps({"packages": packages}))
        if command[0] == "make":
            (cwd / "objs").mkdir()
            (cwd / "objs" / "nginx").write_text("built")
        return None

    return run


def test_what_is_built_is_all_that_stays(program: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: "cargo")
    monkeypatch.setattr(subprocess, "run", cargo(tmp_path / "crates"))
    assert current_nginx.build(program) == ""
    assert program.read_text() == "built"
    assert {each.name for each in program.parent.iterdir()} == {"nginx-current", "nginx.log"}
    assert [*(tmp_path / "crates" / "nginx-src" / "nginx").iterdir()] == [], "a crate's own copy is not built in"


def test_a_build_that_fails_says_so_and_leaves_no_program(program: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(command: list[str], **_: Any) -> None:
        raise subprocess.CalledProcessError(101, command)

    monkeypatch.setattr(shutil, "which", lambda _: "cargo")
    monkeypatch.setattr(subprocess, "run", fails)
    assert "101" in current_nginx.build(program)
    assert [each.name for each in program.parent.iterdir()] == ["nginx.log"]


def test_without_cargo_a_current_nginx_is_left_out_with_a_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(programs, "FOLDER", tmp_path)
    monkeypatch.setattr(shutil, "which", lambda *_, **__: None)
    programs.install([programs.CURRENT_NGINX])
    assert "a current nginx cannot be had, and is left out: there is no cargo" in capsys.readouterr().out
    assert CurrentNginx.missing("http1") == "no nginx-current is installed"


def test_a_current_nginx_runs_its_own_program_with_the_configuration_of_the_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(programs, "path", lambda program: f"/somewhere/{program}")
    assert CurrentNginx.path() == "/somewhere/nginx-current"
    assert Nginx.path() == "/somewhere/nginx"
    assert all(module in " ".join(current_nginx.configure(tmp_path)) for module in ("ssl", "v2", "stream"))
