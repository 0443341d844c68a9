"""Who a controller is to the API: kubeconfigs, ServiceAccounts, and the permissions that `fastingress rbac` prints."""

from __future__ import annotations

import base64
import os
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import yaml

from tests.cluster.support import objects
from tests.cluster.support.space import Space
from tests.support.client import Address
from tests.support.manifests import Manifest


def write_kubeconfig(path: Path, address: Address, ca: Path, user: dict[str, Any], *, namespace: str = "") -> Path:
    """A kubeconfig of one context, `test`. `user` is as in the file format: `{"token": ..}`, `{"exec": ..}`."""
    authority = base64.b64encode(ca.read_bytes()).decode("ascii")
    cluster = {"server": f"https://{address[0]}:{address[1]}", "certificate-authority-data": authority}
    context = {"cluster": "test", "user": "test", **({"namespace": namespace} if namespace else {})}
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "test", "cluster": cluster}],
        "users": [{"name": "test", "user": user}],
        "contexts": [{"name": "test", "context": context}],
        "current-context": "test",
    }
    path.write_text(yaml.safe_dump(config), encoding="utf-8")
    return path


class Account:
    """A ServiceAccount in the namespace of a test, without any permission at first."""

    def __init__(self, space: Space, name: str = "fastingress") -> None:
        self.space = space
        self.name = name
        space.apply(objects.service_account(name))

    def token(self, *, seconds: int = 3600, bound_to: Manifest | None = None) -> str:
        """A new token. The API server makes none that lasts less than ten minutes, but one that is bound to a Secret or
        a Pod ends with that, ten seconds later at most."""
        path = f"/api/v1/namespaces/{self.space.namespace}/serviceaccounts/{self.name}/token"
        spec: dict[str, Any] = {"expirationSeconds": seconds}
        if bound_to is not None:
            names = {key: bound_to["metadata"][key] for key in ("name", "uid")}
            spec["boundObjectRef"] = {"apiVersion": "v1", "kind": bound_to["kind"], **names}
        body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec}
        made: str = self.space.api.call("POST", path, body=body)["status"]["token"]
        return made

    def bind(self, roles: Iterable[Manifest]) -> None:
        """Gives it exactly these roles. Bindings' subjects become this account, and names of the whole cluster's become
        the test's own; namespaces stay as they are."""
        suffix = f"-{self.space.namespace}-{self.name}"
        for each in roles:
            made = {**each, "metadata": dict(each["metadata"])}
            if each["kind"].startswith("Cluster"):
                made["metadata"]["name"] += suffix
            if each["kind"].endswith("Binding"):
                made["subjects"] = [
                    {"kind": "ServiceAccount", "name": self.name, "namespace": self.space.namespace},
                ]
                if each["roleRef"]["kind"] == "ClusterRole":
                    made["roleRef"] = {**each["roleRef"], "name": each["roleRef"]["name"] + suffix}
            self.space.apply(made)

    def may(self, verb: str, resource: str, *, namespace: str = "", group: str = "", name: str = "") -> bool:
        """Whether the API server would let it."""
        attributes = {"verb": verb, "resource": resource, "namespace": namespace, "group": group, "name": name}
        user = f"system:serviceaccount:{self.space.namespace}:{self.name}"
        groups = ["system:serviceaccounts", f"system:serviceaccounts:{self.space.namespace}", "system:authenticated"]
        body = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SubjectAccessReview",
            "spec": {"user": user, "groups": groups, "resourceAttributes": attributes},
        }
        answer = self.space.api.call("POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews", body=body)
        return bool(answer["status"]["allowed"])


def rbac_of(flags: Sequence[str], *, namespace: str) -> list[Manifest]:
    """What `fastingress rbac` prints for these flags of a controller in that namespace."""
    command = [sys.executable, "-m", "fastingress", "rbac", *flags]
    environment = {**os.environ, "POD_NAMESPACE": namespace}
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env=environment)
    assert done.returncode == 0, done.stderr
    return [each for each in yaml.safe_load_all(done.stdout) if each]
