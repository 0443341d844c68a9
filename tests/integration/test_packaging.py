"""What people install: a wheel, built from the source distribution, works in an environment that has no Rust."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
import venv
from pathlib import Path

import pytest

from tests.support.dockerfile import parse

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel that `FASTINGRESS_WHEEL` names (`make wheel` does), else one built from the source distribution.

    That one is built with the development profile and the target folder of this checkout: its dependencies are compiled
    there already.
    """
    if named := os.environ.get("FASTINGRESS_WHEEL"):
        return Path(named)
    folder = tmp_path_factory.mktemp("wheel")
    maturin(ROOT, "sdist", "--out", str(folder))
    (sdist,) = folder.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        archive.extractall(folder, filter="data")
    unpacked = folder / sdist.name.removesuffix(".tar.gz")
    maturin(unpacked, "build", "--profile", "dev", "--compatibility", "linux", "--locked", "--out", str(folder))
    (made,) = folder.glob("*.whl")
    return made


def maturin(where: Path, *arguments: str) -> None:
    environment = {**os.environ, "CARGO_TARGET_DIR": str(ROOT / "target")}
    command = [sys.executable, "-m", "maturin", *arguments]
    done = subprocess.run(command, cwd=where, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_wheel_serves_every_python_from_3_10(wheel: Path) -> None:
    assert "-cp310-abi3-" in wheel.name


def test_the_wheel_installs_and_runs_without_rust(wheel: Path, tmp_path: Path) -> None:
    home = tmp_path / "environment"
    venv.create(home, with_pip=True)
    python = home / "bin" / "python"
    # Only what the new environment and the system bring: no cargo, no checkout on the path.
    environment = {"PATH": f"{home / 'bin'}:/usr/bin:/bin", "HOME": str(tmp_path)}
    pip = {name: value for name, value in os.environ.items() if name.startswith(("PIP_", "SSL_", "REQUESTS_"))}

    def run(*command: str) -> str:
        done = subprocess.run(
            command, cwd=tmp_path, env={**pip, **environment}, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    run(str(python), "-m", "pip", "install", "--quiet", str(wheel))
    version = wheel.name.split("-")[1]
    assert version in run(str(python), "-m", "fastingress", "--version")
    assert version in run(str(home / "bin" / "fastingress"), "--version")
    assert "storefront" in run(str(python), "-m", "fastingress", "routes", "--manifests", str(ROOT / "examples/shop"))


def test_the_steps_of_the_dockerfile_make_what_runs(wheel: Path, tmp_path: Path) -> None:
    dockerfile = parse(ROOT / "deploy" / "Dockerfile")
    (install,) = (stage for stage in dockerfile.stages if stage.name == "install")
    image = dockerfile.stages[-1]
    made, given = tmp_path / "opt", tmp_path / "given"
    given.mkdir()
    for file in (wheel, ROOT / "requirements" / "constraints.txt"):
        (given / file.name).symlink_to(file.resolve())

    def run(command: str, environment: dict[str, str]) -> str:
        here = command.replace("/opt/fastingress", str(made)).replace("/install/", f"{given}/")
        done = subprocess.run(
            ["sh", "-ec", here], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    for step in install.steps:
        if step.name == "RUN":
            run(step.text, {**os.environ, "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin"})
    (entrypoint,) = (json.loads(step.text) for step in image.steps if step.name == "ENTRYPOINT")
    printed = run(" ".join([*entrypoint, "--version"]), {"PATH": f"{made / 'bin'}:/usr/bin:/bin"})
    assert wheel.name.split("-")[1] in printed
    # Nothing is left to compile: the root file system of the image is read-only.
    assert list(made.rglob("fastingress/**/__pycache__/*.pyc"))
