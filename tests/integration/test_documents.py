"""The documents hold: references are fresh, links lead somewhere, and what the README shows works."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from fastingress.config.reference import markdown as options_page
from fastingress.sources.cluster.reference import markdown as permissions_page
from fastingress.translate.annotations.reference import reference_markdown as annotations_page
from tests.support.eventually import eventually
from tests.support.process import Lines

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
DOCUMENTS = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
PORTS = {"8080": "http", "8443": "https", "10254": "admin"}


@pytest.mark.parametrize(
    ("name", "page"),
    [("options.md", options_page), ("annotations.md", annotations_page), ("permissions.md", permissions_page)],
    ids=["options", "annotations", "permissions"],
)
def test_a_reference_page_is_what_the_declarations_say(name: str, page: object) -> None:
    assert callable(page)
    assert (ROOT / "docs" / name).read_text(encoding="utf-8") == page(), "run `make docs`"


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_between_documents_lead_somewhere(document: Path) -> None:
    text = re.sub(r"```.*?```", "", document.read_text(encoding="utf-8"), flags=re.DOTALL)
    targets = [target for target in re.findall(r"\]\(([^)\s]+)\)", text) if "://" not in target]
    missing = [target for target in targets if not (document.parent / target.partition("#")[0]).exists()]
    assert missing == []


ROOMS = ("rust", "rust/proxy/src", "python/fastingress", "tests", "benches", "deploy")
NO_ROOMS = {"target", "__pycache__"}


@pytest.mark.parametrize("place", ROOMS)
def test_the_map_names_every_room(place: str) -> None:
    """`name/` in a list of rooms, or **name** where a step of a request or a stream is told."""
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    rooms = {path.name for path in (ROOT / place).iterdir() if path.is_dir()} - NO_ROOMS
    assert len(rooms) > 1
    assert {room for room in rooms if not re.search(rf"\b{room}(?:/|\*\*|`)", text)} == set()


class Shop:
    """`examples/shop/serve.py` on free ports: what `make run` runs."""

    def __init__(self) -> None:
        ports = ["--http-port=0", "--https-port=0", "--admin-port=0", "--backend-port=0"]
        command = [sys.executable, "examples/shop/serve.py", *ports]
        self.child = subprocess.Popen(
            command,
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )
        self.output, self.errors = Lines(self.child.stdout), Lines(self.child.stderr)
        ready = self.errors.line("ready: ", while_running=self.child)
        self.output.line("Ctrl-C stops", while_running=self.child)
        self.port = {name: re.search(rf"\b{name} on \S+?:([0-9]+)[,;]", ready)[1] for name in PORTS.values()}  # type: ignore[index]

    def here(self, command: str) -> str:
        """A command of the README, with the ports that are served here."""
        for documented, name in PORTS.items():
            command = command.replace(f":{documented}", f":{self.port[name]}")
        return command

    def run(self, command: str) -> str:
        """What the command prints. `python` is the one that runs the tests."""
        words = shlex.split(command)
        if words[0] == "python" or words[0].endswith("/python"):
            words[0] = sys.executable
        done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, f"{command}: {done.stderr}"
        return done.stdout

    def stop(self) -> int:
        """The exit status after an interrupt."""
        self.child.send_signal(2)
        status = self.child.wait(60)
        self.output.close()
        self.errors.close()
        return status


@pytest.fixture(scope="module")
def shop() -> Iterator[Shop]:
    """Serves for all tests of this file, and must then end well."""
    running = Shop()
    try:
        yield running
    finally:
        status = running.stop()
    assert status == 0
    assert "Traceback" not in running.errors.text


def shown() -> list[tuple[str, list[str]]]:
    """Each command that the README shows after a `$`, with the lines of output shown under it."""
    found: list[tuple[str, list[str]]] = []
    for block in re.findall(r"```console\n(.*?)```", README, flags=re.DOTALL):
        for line in block.splitlines():
            if line.startswith("$ "):
                found.append((line[2:], []))
            else:
                found[-1][1].append(line)
    return found


SERVES = "python -m fastingress --manifests examples/shop"


@pytest.mark.parametrize(
    ("command", "output"), [pytest.param(*each, id=each[0]) for each in shown() if each[0] != SERVES]
)
def test_a_command_of_the_readme_prints_what_is_shown(shop: Shop, command: str, output: list[str]) -> None:
    printed = shop.run(shop.here(command))
    assert printed.strip()
    for line in output:
        assert line in printed


def test_the_serving_command_of_the_readme_serves(tmp_path: Path) -> None:
    assert SERVES in [command for command, _ in shown()]
    free = {f"FASTINGRESS_{name.upper()}_PORT": "0" for name in PORTS.values()}
    child = subprocess.Popen(
        [sys.executable, *SERVES.split()[1:]],
        cwd=ROOT,
        env={**os.environ, **free},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    errors = Lines(child.stderr)
    try:
        assert "problems: 0" in errors.line("ready: ", while_running=child)
        child.send_signal(2)
        assert child.wait(60) == 0
    finally:
        child.kill()
        child.wait()
        errors.close()


@pytest.mark.parametrize("number", range(README.count("```python")))
def test_the_python_of_the_readme_runs(number: int) -> None:
    code = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)[number]
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "403" in done.stdout


def test_every_make_target_the_readme_names_is_there() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    documents = "\n".join(path.read_text(encoding="utf-8") for path in DOCUMENTS)
    named = set(re.findall(r"(?:^    |`)make ([a-z-]+)", documents, flags=re.MULTILINE))
    assert {"run", "test"} <= named
    assert [target for target in sorted(named) if not re.search(rf"^{target}:", makefile, flags=re.MULTILINE)] == []


def test_every_command_that_serving_the_shop_prints_works(shop: Shop) -> None:
    commands = [line.strip() for line in shop.output.lines if line.startswith("    ")]
    assert len(commands) >= 8
    printed = {command.split("#")[0]: shop.run(command) for command in commands}
    expected = {
        "/cart/add": "cart: GET /cart/add",
        "/v1/books": "catalog: GET /books",
        "//office.": "403",
        "//pay.shop.localhost:" + shop.port["http"]: "308",
        "https://pay.": "cart: GET /",
        "//unknown.": "storefront: GET /",
        "/metrics": "fastingress_requests",
        "explain": "storefront",
    }
    for part, text in expected.items():
        assert any(text in output for command, output in printed.items() if part in command), part


def test_an_edit_of_the_shop_is_live(shop: Shop) -> None:
    assert "no-store" in shop.run(shop.here("curl -i http://api.shop.localhost:8080/v1/books"))
    said = re.search(r"manifests are in (.*):", shop.output.text)
    assert said
    folder = (ROOT / said[1]).resolve()
    assert ROOT not in folder.parents, "the example itself must not be edited by a test"
    api = folder / "api.yaml"
    api.write_text(api.read_text(encoding="utf-8").replace("no-store", "private"), encoding="utf-8")
    eventually(lambda: "private" in shop.run(shop.here("curl -i http://api.shop.localhost:8080/v1/books")))
