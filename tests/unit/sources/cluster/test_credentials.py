from __future__ import annotations

import asyncio
import base64
import json
import os
import stat
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import trustme
import yaml

from fastingress.sources.cluster.account import Account
from fastingress.sources.cluster.credentials import CredentialsError, connect, own_namespace
from fastingress.sources.cluster.identity import Identity
from fastingress.sources.cluster.kubeconfig import Kubeconfig
from fastingress.sources.cluster.transport import Connection
from tests.unit.sources.cluster.script import run

SERVER = "https://127.0.0.1:6443"
CA = trustme.CA()
PEM = CA.cert_pem.bytes().decode()
NOWHERE = Path("/nonexistent")


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def config(user: dict[str, Any] | None = None, **cluster: Any) -> dict[str, Any]:
    served = {"server": SERVER, "certificate-authority-data": encoded(PEM), **cluster}
    contexts = [
        {"name": "main", "context": {"cluster": "c", "user": "u", "namespace": "shop"}},
        {"name": "other", "context": {"cluster": "d", "user": "u"}},
    ]
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "main",
        "contexts": contexts,
        "clusters": [{"name": "c", "cluster": served}, {"name": "d", "cluster": {"server": "https://other:1"}}],
        "users": [{"name": "u", "user": {"token": "t0"} if user is None else user}],
    }


def authority(data: str) -> dict[str, Any]:
    return {"certificate-authority-data": data}


@pytest.fixture
def place(tmp_path: Path) -> Callable[..., str]:
    def write(content: Any, name: str = "config") -> str:
        path = tmp_path / name
        path.write_text(content if isinstance(content, str) else yaml.safe_dump(content))
        return str(path)

    return write


@pytest.fixture
def account(tmp_path: Path) -> Path:
    folder = tmp_path / "account"
    folder.mkdir()
    (folder / "token").write_text("t1\n")
    (folder / "ca.crt").write_text(PEM)
    (folder / "namespace").write_text("ingress")
    return folder


def connected(kubeconfig: str | None = None, context: str | None = None, **more: Any) -> Connection:
    found: list[Connection] = []

    async def test() -> None:
        more.setdefault("environ", {})
        more.setdefault("account", NOWHERE)
        found.append(await connect(kubeconfig=kubeconfig, context=context, **more))

    run(test())
    return found[0]


def identity_of(connection: Connection) -> Identity:
    found: list[Identity] = []

    async def test() -> None:
        found.append(await connection.identity())

    run(test())
    return found[0]


IN_A_POD = {"KUBERNETES_SERVICE_HOST": "10.96.0.1", "KUBERNETES_SERVICE_PORT": "443"}


def test_a_pod_speaks_as_its_account(account: Path) -> None:
    identity = identity_of(connected(environ=IN_A_POD, account=account))
    assert (identity.server, identity.authorization) == ("https://10.96.0.1:443", "Bearer t1")
    assert (identity.ca, identity.namespace) == (PEM.strip(), "ingress")
    assert "t1" not in repr(identity)


def test_an_address_of_version_6_is_put_in_brackets(account: Path) -> None:
    assert connected(environ={**IN_A_POD, "KUBERNETES_SERVICE_HOST": "fd00::1"}, account=account).server == (
        "https://[fd00::1]:443"
    )


def test_the_token_and_the_authority_of_an_account_are_read_again(account: Path) -> None:
    async def test() -> None:
        now = 0.0
        source = Account(account, IN_A_POD)
        connection = Connection(source, await source.load(force=False), clock=lambda: now)
        (account / "token").write_text("t2")
        other = trustme.CA().cert_pem.bytes().decode()
        (account / "ca.crt").write_text(other)
        assert (await connection.identity()).authorization == "Bearer t1"
        now = 61.0
        before = await connection.identity()
        assert (before.authorization, before.ca) == ("Bearer t2", other.strip())
        (account / "token").unlink()
        now = 200.0
        assert await connection.identity() == before

    run(test())


@pytest.mark.parametrize(("name", "content"), [("token", None), ("token", ""), ("ca.crt", None), ("ca.crt", "no PEM")])
def test_an_account_that_lacks_something_is_an_error_that_names_the_place(
    account: Path, name: str, content: str | None
) -> None:
    (account / name).unlink() if content is None else (account / name).write_text(content)
    with pytest.raises(CredentialsError, match=str(account)):
        connected(environ=IN_A_POD, account=account)


def test_a_kubeconfig_that_is_named_wins_over_the_account(account: Path, place: Callable[..., str]) -> None:
    connection = connected(place(config()), environ=IN_A_POD, account=account)
    identity = identity_of(connection)
    assert (identity.server, identity.authorization, identity.ca) == (SERVER, "Bearer t0", PEM)
    assert own_namespace(connection, {}) == "shop"
    assert own_namespace(connection, {"POD_NAMESPACE": "mine"}) == "mine"


def test_a_context_chooses_cluster_and_user(place: Callable[..., str]) -> None:
    connection = connected(place(config()), "other")
    assert connection.server == "https://other:1"
    assert own_namespace(connection, {}) == "default"


def test_the_variable_may_name_several_files_some_of_them_missing(place: Callable[..., str]) -> None:
    whole = config()
    first = place({**whole, "users": []}, "first")
    second = place({**whole, "clusters": [], "contexts": []}, "second")
    environ = {"KUBECONFIG": os.pathsep.join([first, "/nonexistent/file", second])}
    assert identity_of(connected(environ=environ)).authorization == "Bearer t0"


def test_the_usual_place_is_looked_at_last(tmp_path: Path, place: Callable[..., str]) -> None:
    (tmp_path / ".kube").mkdir()
    place(config(), ".kube/config")
    assert connected(environ={"HOME": str(tmp_path)}).server == SERVER


def test_no_cluster_at_all_is_an_error_that_says_what_was_looked_for_and_what_needs_none(tmp_path: Path) -> None:
    with pytest.raises(CredentialsError) as caught:
        connected(environ={"HOME": str(tmp_path)})
    for word in ("--kubeconfig", "$KUBECONFIG", f"{tmp_path}/.kube/config", "/nonexistent", "--manifests FOLDER"):
        assert word in str(caught.value)
    with pytest.raises(CredentialsError, match=r"^--context: main: there is no kubeconfig"):
        connected(None, "main", environ={"HOME": str(tmp_path)})


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{", "this is not YAML"),
        ("\x00", "this is not YAML"),
        ("hello", "this is no kubeconfig"),
        ("", "this is no kubeconfig"),
        ("clusters: 5", "this is no kubeconfig"),
        ("contexts: 5", "this is no kubeconfig"),
        ({**config(), "current-context": ""}, "no current-context; name one with --context (there are: main, other)"),
        ({**config(), "current-context": "x"}, "there is no context 'x' (there are: main, other)"),
        ({**config(), "clusters": []}, "context 'main': .*Expected object with name c"),
        ({**config(), "contexts": [{"name": "main"}]}, "context 'main': "),
        ({**config(), "contexts": [{"context": {}}]}, "this is no kubeconfig"),
        (config(server=None), "Expected key server"),
        (config(server="ftp://x"), "no server"),
        (config(**authority("###")), "the certificate authority is empty"),
        (config(**authority(encoded("no PEM"))), "the certificate authority is not PEM"),
        (config({"client-certificate-data": encoded("no"), "client-key-data": encoded("no")}), "client certificate"),
        (config({"client-certificate": "/nonexistent/a.crt", "client-key": "/nonexistent/a.key"}), "a.crt"),
        (config({"tokenFile": "/nonexistent/token"}), "/nonexistent/token"),
        (config({"exec": {"command": "x"}}), "exec: command and apiVersion must be given"),
    ],
)
def test_a_kubeconfig_that_is_wrong_is_an_error_with_flag_and_file(
    place: Callable[..., str], content: Any, said: str
) -> None:
    path = place(content)
    with pytest.raises(CredentialsError, match=rf"^--kubeconfig: {path}: .*{said.replace('(', '.').replace(')', '.')}"):
        connected(path)


@pytest.mark.parametrize(
    "content",
    [
        "users:\n- user:\n    token: secret-token: x\n",
        "users: [{token: secret-token",
        config({"token": "secret-token", "client-certificate": "x", "client-key": 5}),
        {**config({"token": "secret-token"}), "users": [{"user": {"token": "secret-token"}}]},
        config({"client-key-data": "secret-token", "client-certificate-data": "secret-token"}),
        config({"auth-provider": {"name": "oidc", "config": {"client-secret": "secret-token"}}}),
        config({"exec": {"command": 5, "apiVersion": "v1", "env": [{"name": "A", "value": "secret-token"}]}}),
        config({"exec": "secret-token"}),
        config(server=None, token="secret-token"),
    ],
)
def test_no_complaint_quotes_a_secret(place: Callable[..., str], content: Any) -> None:
    with pytest.raises(CredentialsError) as caught:
        connected(place(content))
    assert "secret-token" not in str(caught.value)


def test_a_file_that_is_missing_or_not_readable_is_named(tmp_path: Path) -> None:
    with pytest.raises(CredentialsError, match=r"^--kubeconfig: /nonexistent/config: no such file"):
        connected("/nonexistent/config")
    with pytest.raises(CredentialsError, match=f"^--kubeconfig: {tmp_path}: Is a directory"):
        connected(str(tmp_path))


def test_a_context_that_is_not_there_names_the_flag_and_those_that_are(place: Callable[..., str]) -> None:
    path = place(config())
    with pytest.raises(
        CredentialsError, match=rf"^--context: {path}: there is no context 'x' .there are: main, other."
    ):
        connected(path, "x")


def test_a_user_may_be_missing_and_may_have_a_password(place: Callable[..., str]) -> None:
    assert identity_of(connected(place({**config(), "users": []}))).authorization == ""
    user = {"username": "a", "password": "b"}
    assert identity_of(connected(place(config(user)))).authorization == f"Basic {encoded('a:b')}"


def test_files_are_relative_to_the_kubeconfig_and_are_read_again(place: Callable[..., str], tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text(PEM)
    (tmp_path / "token").write_text("t5")
    cluster = {"server": SERVER, "certificate-authority": "ca.pem", "tls-server-name": "kubernetes"}
    whole = {**config({"tokenFile": "token"}), "clusters": [{"name": "c", "cluster": cluster}]}
    path = place(whole)

    async def test() -> None:
        now = 0.0
        source = Kubeconfig([Path(path)], None, "--kubeconfig", {})
        connection = Connection(source, await source.load(force=False), clock=lambda: now)
        identity = await connection.identity()
        assert (identity.authorization, identity.ca, identity.server_name) == ("Bearer t5", PEM, "kubernetes")
        (tmp_path / "token").write_text("t6")
        now = 61.0
        assert (await connection.identity()).authorization == "Bearer t6"
        place("{")
        now = 200.0
        assert (await connection.identity()).authorization == "Bearer t6"
        place({**whole, "users": [{"name": "u", "user": {"token": "t7"}}]})
        now = 300.0
        assert (await connection.identity()).authorization == "Bearer t7"

    run(test())


def test_a_client_certificate_is_used(place: Callable[..., str]) -> None:
    pair = CA.issue_cert("admin")
    user = {
        "client-certificate-data": encoded(pair.cert_chain_pems[0].bytes().decode()),
        "client-key-data": encoded(pair.private_key_pem.bytes().decode()),
    }
    identity = identity_of(connected(place(config(user))))
    assert Path(identity.certificate).read_bytes() == pair.cert_chain_pems[0].bytes()
    assert stat.S_IMODE(Path(identity.key).stat().st_mode) == 0o600
    assert identity.certificate_digest


class Plugin:
    """A plugin that says what `answer` is, and counts how often it was run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.script = folder / "plugin"
        code = "import os, pathlib, sys\nhere = pathlib.Path(__file__).parent\n"
        code += "(here / 'runs').open('a').write('x')\n(here / 'told').write_text(os.environ['KUBERNETES_EXEC_INFO'])\n"
        code += "(here / 'env').write_text(os.environ.get('EXTRA', '') + ' '.join(sys.argv[1:]))\n"
        self.script.write_text(f"#!{sys.executable}\n{code}exec((here / 'body').read_text())\n")
        self.script.chmod(0o755)

    def says(self, status: dict[str, Any], **more: Any) -> None:
        answer = {"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": status, **more}
        self.does(f"print({json.dumps(answer)!r})")

    def does(self, body: str) -> None:
        (self.folder / "body").write_text(body)

    @property
    def runs(self) -> int:
        return len((self.folder / "runs").read_text())

    def user(self, **more: Any) -> dict[str, Any]:
        return {"exec": {"command": "./plugin", "apiVersion": "client.authentication.k8s.io/v1", **more}}


@pytest.fixture
def plugin(tmp_path: Path) -> Plugin:
    return Plugin(tmp_path)


def test_a_plugin_gives_a_token_and_is_told_about_the_cluster(place: Callable[..., str], plugin: Plugin) -> None:
    plugin.says({"token": "t8"})
    user = plugin.user(args=["get", "token"], env=[{"name": "EXTRA", "value": "more "}], provideClusterInfo=True)
    assert identity_of(connected(place(config(user)))).authorization == "Bearer t8"
    told = json.loads((plugin.folder / "told").read_text())
    assert (told["kind"], told["spec"]["interactive"]) == ("ExecCredential", False)
    assert told["spec"]["cluster"]["server"] == SERVER
    assert (plugin.folder / "env").read_text() == "more get token"


def test_a_plugin_gives_a_certificate(place: Callable[..., str], plugin: Plugin) -> None:
    pair = CA.issue_cert("admin")
    certificate = pair.cert_chain_pems[0].bytes().decode()
    plugin.says({"clientCertificateData": certificate, "clientKeyData": pair.private_key_pem.bytes().decode()})
    identity = identity_of(connected(place(config(plugin.user()))))
    assert Path(identity.certificate).read_text() == certificate
    assert identity.authorization == ""


def test_a_plugin_is_run_again_before_its_token_ends_or_when_it_is_refused(
    place: Callable[..., str], plugin: Plugin
) -> None:
    path = place(config(plugin.user()))

    async def test() -> None:
        wall, now = time.time(), 0.0
        ends = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(wall + 600))
        plugin.says({"token": "t1", "expirationTimestamp": ends})
        source = Kubeconfig([Path(path)], None, "--kubeconfig", {}, now=lambda: wall)
        connection = Connection(source, await source.load(force=False), clock=lambda: now)
        plugin.says({"token": "t2", "expirationTimestamp": ends.replace("Z", "+00:00")})
        wall, now = wall + 500, 500.0
        assert (await connection.identity()).authorization == "Bearer t1"
        wall, now = wall + 80, 580.0
        while (identity := await connection.identity()).authorization == "Bearer t1":  # noqa: ASYNC110 - it is looked at by asking
            await asyncio.sleep(0.01)
        assert (identity.authorization, plugin.runs) == ("Bearer t2", 2)
        plugin.says({"token": "t3"})
        renewed = await connection.renewed(identity)
        assert renewed is not None
        assert (renewed.authorization, plugin.runs) == ("Bearer t3", 3)
        wall, now = wall + 1e6, 1e6
        assert (await connection.identity()).authorization == "Bearer t3"
        assert plugin.runs == 3

    run(test())


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("import sys; print('log in first', file=sys.stderr); sys.exit(3)", "ended with 3: log in first"),
        ("raise SystemExit(1)", "ended with 1: it said nothing"),
        ("print('secret-token')", "no ExecCredential"),
        ("print('[' * 100000)", "no ExecCredential"),
        ("print('null')", "no ExecCredential"),
        ('print(\'{"apiVersion":"v0","kind":"ExecCredential","status":{}}\')', "not client.authentication.k8s.io/v1"),
    ],
)
def test_a_plugin_that_fails_is_an_error_that_names_it_and_quotes_no_secret(
    place: Callable[..., str], plugin: Plugin, body: str, said: str
) -> None:
    plugin.does(body)
    path = place(config(plugin.user()))
    with pytest.raises(CredentialsError, match=f"^--kubeconfig: {path}: exec: .*/plugin: .*{said}") as caught:
        connected(path)
    assert "secret-token" not in str(caught.value)


@pytest.mark.parametrize(
    "status",
    [{}, {"token": ""}, {"token": 5}, {"clientCertificateData": "x"}, {"token": "t", "expirationTimestamp": "x"}],
)
def test_a_plugin_that_gives_nothing_of_use_is_an_error(
    place: Callable[..., str], plugin: Plugin, status: dict[str, Any]
) -> None:
    plugin.says(status)
    with pytest.raises(CredentialsError, match=r"exec: .*/plugin: "):
        connected(place(config(plugin.user())))


def test_a_plugin_that_is_not_installed_says_how_to_get_it(place: Callable[..., str]) -> None:
    user = {"exec": {"command": "no-such-plugin", "apiVersion": "v1", "installHint": "see the\nmanual"}}
    with pytest.raises(CredentialsError, match=r"exec: no-such-plugin: No such file or directory; see the manual"):
        connected(place(config(user)))


def test_a_plugin_that_hangs_is_ended(plugin: Plugin) -> None:
    from fastingress.sources.cluster.plugin import run_plugin

    plugin.does("import time; (here / 'pid').write_text(str(os.getpid())); time.sleep(60)")

    async def test() -> None:
        with pytest.raises(CredentialsError, match=r"no answer in 0.5 s"):
            await run_plugin(plugin.user()["exec"], {}, plugin.folder, {}, within=0.5)
        if (plugin.folder / "pid").exists():
            with pytest.raises(ProcessLookupError):
                os.kill(int((plugin.folder / "pid").read_text()), 0)

    run(test())
