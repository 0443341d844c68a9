"""A wrong command line is one line that names what is wrong, and a status."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from fastingress.cli import main
from tests.unit.cli.commands import GOLDEN, run

FREE = ["--bind", "127.0.0.1", "--http-port", "0", "--https-port", "0", "--admin-port", "0"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--bogus"], "--bogus"),
        (["fly"], "fly"),
        (["routes"], "--manifests"),
        (["check", "/does/not/exist"], "/does/not/exist"),
        (["--manifests", "manifests", "--http-port", "many"], "--http-port: 'many'"),
        (["--manifests", "manifests", "--http-port", "65536"], "--http-port"),
        (["--manifests", "manifests", "--workers", "1025"], "--workers: '1025' is too many: at most 1024"),
        (["--manifests", "manifests", "--workers", "-1"], "--workers: '-1' is not a whole number"),
        (["--manifests", "manifests", "--bind", "localhost"], "--bind: 'localhost'"),
        (["--manifests", "manifests", "--drain-timeout", "soon"], "--drain-timeout: 'soon'"),
        (["--manifests", "manifests", "--connect-timeout", "0"], "--connect-timeout"),
        (["--manifests", "manifests", "--body-limit", "-1"], "--body-limit"),
        (["--manifests", "manifests", "--access-log", "xml"], "--access-log: 'xml' is not one of json, text, off"),
        (["--manifests", "manifests", "--metrics-per-ingress=maybe"], "--metrics-per-ingress: 'maybe'"),
        (["--manifests", "manifests", "--trusted-proxies", "everyone"], "--trusted-proxies: 'everyone'"),
        (["--manifests", "manifests", "--default-backend-service", "web"], "--default-backend-service: 'web'"),
        (["check", "manifests", "--tcp", "0=default/db:5432"], "--tcp 0=default/db:5432: '0' is not a port"),
        (["check", "manifests", "--tcp", "70000=default/db:1"], "'70000' is not a port from 1 to 65535"),
        (["check", "manifests", "--tcp", "9000=db:5432"], "'db:5432' is not namespace/service:port"),
        (["check", "manifests", "--tcp", "9000=a/b:1,9000=a/c:1"], "port 9000 is that of --tcp 9000=a/b:1"),
        (["check", "manifests", "--tcp", "8443=a/b:1"], "port 8443 is that of --https-port"),
        (["check", "manifests", "--tcp", "9000=a/b:1:PROXY"], "--proxy-protocol-from has to say"),
        (["check", "manifests", "--udp", "53=a/b:1:PROXY"], "there are no PROXY headers with UDP"),
        (["--http-port", "1", "routes", "manifests"], "--http-port goes after the command"),
        (["explain", "ftp://shop.example.com/", "--manifests", "manifests"], "neither http nor https"),
        (["explain", "tcp://shop.example.com", "--manifests", "manifests"], "a port is missing, as in tcp://:9000"),
        (["explain", "tcp://:x", "--manifests", "manifests"], "'tcp://:x'"),
        (["explain", "http://shop.example.com/%00", "--manifests", "manifests"], "is refused"),
        (["explain", "http://shop.example.com/\udcff", "--manifests", "manifests"], "UTF-8"),
        (["explain", "http://x/", "-H", "no colon", "--manifests", "manifests"], "--header: 'no colon'"),
        (["routes", "manifests", "--output", "xml"], "--output: 'xml'"),
        (["routes", "manifests", "--admin", "http://127.0.0.1:1"], "--admin"),
        (["routes", "--admin", "ftp://127.0.0.1"], "--admin"),
    ],
)
def test_wrong_use_is_one_line_and_status_2(
    arguments: list[str], says: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(GOLDEN)
    status = main(arguments)
    out, err = capsys.readouterr()
    assert status == 2, err
    assert says in err
    assert err.startswith("fastingress: ")
    assert err.count("\n") == 1
    assert out == ""


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "--manifests"),
        (["--bogus"], "--bogus"),
        (["--manifests", "/does/not/exist", *FREE], "/does/not/exist"),
        (["--manifests", "manifests", "--ssl-ciphers", "ROT13", *FREE], "--ssl-ciphers"),
        (
            ["--manifests", "manifests", "--tcp", "0=default/db:5432", *FREE],
            "--tcp 0=default/db:5432: '0' is not a port",
        ),
        (["--manifests", "manifests", *FREE, "--http-port=off", "--https-port=off"], "--http-port, --https-port: both"),
    ],
)
def test_a_process_that_cannot_start_says_so_in_one_line(arguments: list[str], says: str) -> None:
    done = run(*arguments)
    assert done.returncode == 2, done.stderr
    assert says in done.stderr
    assert done.stderr.startswith("fastingress: ")
    assert done.stderr.count("\n") == 1
    assert done.stdout == ""


def test_a_variable_is_refused_by_its_own_name() -> None:
    done = run("--manifests", "manifests", environment={"FASTINGRESS_HTTP_PORT": "many"})
    assert done.returncode == 2
    assert "FASTINGRESS_HTTP_PORT: 'many' is not a port" in done.stderr


def test_a_port_in_use_names_flag_and_address_and_is_status_1() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = run("--manifests", "manifests", *FREE, "--http-port", str(port))
    assert done.returncode == 1
    assert f"fastingress: cannot listen on 127.0.0.1:{port} (--http-port): Address already in use\n" == done.stderr


def test_a_gateway_that_is_not_there_is_status_1() -> None:
    with socket.socket() as bound:  # and does not listen
        bound.bind(("127.0.0.1", 0))
        port = bound.getsockname()[1]
        done = run("routes", "--admin", f"http://127.0.0.1:{port}")
    assert done.returncode == 1
    assert f"--admin: http://127.0.0.1:{port} cannot be asked" in done.stderr


def test_an_unreadable_file_is_a_problem_and_the_others_are_read(tmp_path: Path) -> None:
    (tmp_path / "broken.yaml").write_bytes(b"kind: Ingress\n  bad: [indent\n")
    (tmp_path / "shop.yaml").write_text(
        (Path(__file__).parent / "golden/manifests/shop.yaml").read_text("utf-8"), "utf-8"
    )
    done = run("routes", str(tmp_path))
    assert (done.returncode, done.stdout.count("default/shop")) == (0, 3)
    done = run("check", str(tmp_path))
    assert done.returncode == 1
    assert f"{tmp_path}/broken.yaml" in done.stdout


def said(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """What a command line prints."""
    assert main(arguments) == 0
    return capsys.readouterr().out


def test_help_states_defaults_and_variables_of_every_option(capsys: pytest.CaptureFixture[str]) -> None:
    from fastingress.config import FLAGS

    for command in ("run", "check", "rbac"):
        text = " ".join(said(capsys, command, "--help").split())
        for flag in FLAGS.values():
            if command != "run" and flag.name == "manifests":
                continue
            assert f" {flag.option} " in text
            assert f"Default: {flag.shown_default}. Variable: {flag.variable}." in text
            assert f" {flag.group}: " in text


def test_help_without_a_command_is_a_screen_that_leads_on(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    lines = said(capsys, "--help").splitlines()
    assert len(lines) <= 24
    for command in ("run", "check", "routes", "explain", "rbac"):
        [row] = [line for line in lines if line.startswith(f"  {command} ")]
        assert row.endswith("."), "it is whole"
        assert not row.endswith("...")
        usage = said(capsys, command, "--help").splitlines()[0]
        assert usage in {f"Usage: fastingress {command} [OPTIONS]{rest}" for rest in ("", " [PATH]...", " URL")}


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (["fly"], "(fastingress --help lists all commands, fastingress run --help all options)"),
        (["--bogus"], "(fastingress --help lists all commands, fastingress run --help all options)"),
        (["check", "--bogus"], "(fastingress check --help lists all options)"),
        (["explain"], "(fastingress explain --help lists all options)"),
        (["rbac", "--manifests", "x"], "(fastingress rbac --help lists all options)"),
    ],
)
def test_a_wrong_command_line_is_told_where_to_look(
    arguments: list[str], hint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    assert capsys.readouterr().err.endswith(f"{hint}\n")


def test_the_version() -> None:
    import fastingress

    assert run("--version").stdout == f"fastingress {fastingress.__version__}\n"
