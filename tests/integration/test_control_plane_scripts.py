"""The scripts of the test control plane say what is wrong and touch nothing that is not theirs."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parents[1] / "cluster" / "controlplane"


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    """A folder that looks as if everything were built."""
    made = tmp_path / "programs"
    made.mkdir()
    for name in ("etcd", "kube-apiserver", "kube-controller-manager", "kubectl", "fake-kubelet"):
        (made / name).write_text("#!/bin/sh\necho no such luck\nexit 3\n", encoding="ascii")
        (made / name).chmod(0o755)
    return made


def run(script: str, **environment: str) -> subprocess.CompletedProcess[str]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith("KUBE_")}
    command = ["bash", str(SCRIPTS / script)]
    return subprocess.run(command, env={**kept, **environment}, capture_output=True, text=True, timeout=60, check=False)


def only(tmp_path: Path, *programs: str) -> str:
    """A PATH with these programs alone."""
    folder = tmp_path / "path"
    folder.mkdir()
    for name in ("bash", "dirname", *programs):
        found = subprocess.run(["which", name], capture_output=True, text=True, check=True).stdout.strip()
        (folder / name).symlink_to(found)
    return str(folder)


def test_up_names_what_is_not_built(tmp_path: Path) -> None:
    done = run("up.sh", KUBE_BIN=str(tmp_path), KUBE_STATE=str(tmp_path / "state"))
    assert done.returncode == 1
    assert done.stderr == f"up.sh: no kube-apiserver in {tmp_path}: run 'make controlplane' first\n"
    assert not (tmp_path / "state").exists()


@pytest.mark.parametrize("missing", ["openssl", "curl"])
def test_up_names_a_missing_program(tmp_path: Path, missing: str) -> None:
    path = only(tmp_path, *({"openssl", "curl"} - {missing}))
    done = run("up.sh", PATH=path, KUBE_STATE=str(tmp_path / "state"))
    assert (done.returncode, done.stderr) == (1, f"up.sh: no {missing} in PATH\n")


def test_up_starts_nothing_twice(tmp_path: Path, programs: Path) -> None:
    state = tmp_path / "state"
    state.mkdir()
    (state / "pids").write_text("1 init\n", encoding="ascii")
    done = run("up.sh", KUBE_BIN=str(programs), KUBE_STATE=str(state))
    assert (done.returncode, done.stderr) == (1, f"up.sh: {state}/pids exists: run down.sh first\n")
    assert (state / "pids").exists()


def test_up_deletes_no_folder_that_is_not_its_own(tmp_path: Path, programs: Path) -> None:
    state = tmp_path / "home"
    state.mkdir()
    (state / "thesis.txt").write_text("42", encoding="ascii")
    done = run("up.sh", KUBE_BIN=str(programs), KUBE_STATE=str(state))
    assert done.returncode == 1
    assert "not empty and not a control plane's" in done.stderr
    assert (state / "thesis.txt").read_text(encoding="ascii") == "42"


def test_up_shows_the_last_words_of_what_died(tmp_path: Path, programs: Path) -> None:
    state = tmp_path / "state"
    done = run("up.sh", KUBE_BIN=str(programs), KUBE_STATE=str(state), KUBE_PORT="1")
    assert done.returncode == 1
    assert done.stderr == "up.sh: etcd died:\nno such luck\n"
    assert not (state / "pids").exists(), "what was started has been ended"


def test_down_does_nothing_when_nothing_runs(tmp_path: Path) -> None:
    done = run("down.sh", KUBE_STATE=str(tmp_path / "none"))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_down_ends_no_process_that_took_over_a_pid(tmp_path: Path) -> None:
    with subprocess.Popen(["sleep", "60"]) as other:
        state = tmp_path / "state"
        state.mkdir()
        (state / "pids").write_text(f"{other.pid} etcd\n", encoding="ascii")
        done = run("down.sh", KUBE_STATE=str(state))
        assert done.returncode == 0
        assert other.poll() is None
        other.kill()


def test_build_says_that_it_needs_go(tmp_path: Path) -> None:
    done = run("build.sh", PATH=only(tmp_path), KUBE_BIN=str(tmp_path / "out"))
    assert done.returncode == 1
    assert done.stderr.startswith("build.sh: no go in PATH")
    assert not (tmp_path / "out").exists()
