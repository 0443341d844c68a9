"""The control plane as a value: where it is, how it starts and ends. What it consists of is in `controlplane/up.sh`."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

from tests.cluster.support.network import Network

ROOT = Path(__file__).parents[3]
SCRIPTS = ROOT / "tests" / "cluster" / "controlplane"
PROGRAMS = Path(os.environ.get("KUBE_BIN") or ROOT / "target" / "controlplane")
PORT = 16443
"""The API's port: in a network namespace of its own it cannot be taken."""
SEEN_AT = ("10.244.0.2", 80)
"""Where the fake kubelet says which pods saw which requests."""


class ControlPlane:
    """A running control plane."""

    def __init__(self, state: Path, network: Network) -> None:
        self.state = state
        self.network = network
        self.kubeconfig = state / "kubeconfig"
        self.address = ("127.0.0.1", PORT)

    @property
    def ca(self) -> Path:
        """The CA of the API server's certificate, PEM."""
        return self.state / "pki" / "ca.crt"

    @property
    def ca_key(self) -> Path:
        """The CA's key: the fault proxy makes itself a certificate with it."""
        return self.state / "pki" / "ca.key"

    @property
    def admin_token(self) -> str:
        """A token that may do everything."""
        return (self.state / "pki" / "admin.token").read_text(encoding="ascii")

    def log(self, program: str) -> str:
        """What one of its programs has said."""
        return (self.state / "log" / f"{program}.log").read_text(encoding="utf-8", errors="replace")

    def kubectl(self, *words: str, stdin: str = "", check: bool = True) -> subprocess.CompletedProcess[str]:
        """Runs kubectl as admin."""
        done = subprocess.run(
            [str(PROGRAMS / "kubectl"), "--kubeconfig", str(self.kubeconfig), *words],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert not check or done.returncode == 0, f"kubectl {' '.join(words)}: {done.stderr}"
        return done


def start(state: Path, name: str, settings: Mapping[str, str] | None = None) -> ControlPlane:
    """Starts one in a network namespace of that name. It ends with this process at the latest.

    Settings are those of `up.sh`.
    """
    network = Network(name)
    environment = {
        **os.environ,
        "KUBE_BIN": str(PROGRAMS),
        "KUBE_STATE": str(state),
        "KUBE_PORT": str(PORT),
        "KUBE_NETNS": name,
        "KUBE_OWNER": str(os.getpid()),
        **(settings or {}),
    }
    done = subprocess.run([SCRIPTS / "up.sh"], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"up.sh: {done.stderr}"
    return ControlPlane(state, network)


def end(state: Path) -> None:
    """Ends it, at once. Its logs stay."""
    environment = {**os.environ, "KUBE_STATE": str(state)}
    subprocess.run([SCRIPTS / "down.sh"], env=environment, check=True)


def missing() -> str:
    """Why there can be no control plane here; empty when there can."""
    if not (PROGRAMS / "kube-apiserver").exists():
        return f"no control plane in {PROGRAMS}; `make controlplane` builds it, with Go"
    if subprocess.run(["unshare", "--net", "true"], capture_output=True, check=False).returncode != 0:
        return "no permission to make network namespaces; run as root"
    return ""
