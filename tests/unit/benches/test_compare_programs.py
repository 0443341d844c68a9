"""Programs that are built for the comparison: what cannot be had is said, and nothing half made is left."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from benches.compare import current_nginx, debian, programs
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


@pytest.fixture
def bare_machine(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """A machine: what is installed there, what its packages have, and what was run."""
    machine = SimpleNamespace(installed={"apt-get", *debian.NEEDED}, has=debian.NEEDED | debian.OF_PEERS, ran=[])

    def run(command: list[str], **_: Any) -> Any:
        machine.ran.append(command)
        found = [program for program, package in machine.has.items() if package in command]
        machine.installed.update(found)
        return SimpleNamespace(returncode=0, stderr="")

    monkeypatch.setattr(subprocess, "run", run)
    monkeypatch.setattr(shutil, "which", lambda program: program if program in machine.installed else None)
    monkeypatch.setattr("os.geteuid", lambda: 0)
    return machine


def test_what_is_missing_is_installed_and_nothing_else(bare_machine: SimpleNamespace) -> None:
    debian.demand(["haproxy", "envoy"])
    assert [command[-1] for command in bare_machine.ran] == ["-qq", "haproxy"]
    bare_machine.ran.clear()
    debian.demand(["haproxy", "envoy"])
    assert bare_machine.ran == []


def test_a_module_is_installed_where_streams_are_measured(
    bare_machine: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(debian, "MODULES", tmp_path)
    assert [Nginx.needs(way) for way in ("http1", "tcp")] == [{"nginx"}, {"nginx", debian.STREAM_MODULE}]
    assert CurrentNginx.needs("tcp") == {"nginx-current"}
    debian.demand(Nginx.needs("tcp"))
    assert [command[-1] for command in bare_machine.ran] == ["-qq", "libnginx-mod-stream"]


def test_a_peer_that_cannot_be_had_is_no_error_and_a_load_generator_is(
    bare_machine: SimpleNamespace,
) -> None:
    bare_machine.has = {}
    debian.demand(["haproxy"])
    bare_machine.installed.remove("wrk")
    with pytest.raises(SystemExit, match="not installed: wrk"):
        debian.demand([])


def test_who_may_not_install_is_told_what_to(bare_machine: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    bare_machine.installed.remove("h2load")
    with pytest.raises(SystemExit, match=r"h2load .*nghttp2-client"):
        debian.demand([])
    assert bare_machine.ran == []
