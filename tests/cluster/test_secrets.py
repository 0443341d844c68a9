"""Of all Secrets of a cluster only those that are named are kept: nowhere in the source is the content of another."""

from __future__ import annotations

from base64 import b64encode
from pathlib import Path

import pytest

from fastingress.objects import ObjectKey, Secret
from fastingress.sources.cluster.source import ClusterOptions
from fastingress.store import Dependency
from tests.cluster.support.account import write_kubeconfig
from tests.cluster.support.control_plane import ControlPlane
from tests.cluster.support.fault_proxy import FaultProxy
from tests.cluster.support.space import Space
from tests.cluster.support.watching import Watching
from tests.support.eventually import eventually
from tests.support.manifests import Manifest
from tests.unit.sources.cluster.test_source_secrets import held

UNWANTED = ("unwanted", b64encode(b"unwanted").decode()[:10])
"""As it is, and as the API server sends it."""


def secret(name: str, content: str) -> Manifest:
    """A Secret with that content."""
    data = {"content": b64encode(content.encode()).decode()}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "namespace": "default"}, "data": data}


def knows(it: Watching, *texts: str) -> bool:
    """Whether any of the texts is anywhere in what the source, and who listens to it, holds."""

    def found(root: object) -> bool:
        strings = (item.decode(errors="replace") if isinstance(item, bytes) else item for item in held(root))
        return any(text in string for string in strings for text in texts)

    return it.look(found)


def content(it: Watching, space: Space, name: str) -> str:
    """Of a Secret that was passed on; empty when it was not."""
    found = it.objects.get(ObjectKey("Secret", space.namespace, name))
    assert found is None or isinstance(found, Secret)
    return bytes(found.data["content"]).decode() if found else ""


@pytest.mark.parametrize("access", ["watch", "named"])
def test_only_what_is_named_is_kept(
    cluster: Space, fault_proxy: FaultProxy, plane: ControlPlane, tmp_path: Path, access: str
) -> None:
    def needs(name: str) -> Dependency:
        return Dependency("Secret", cluster.namespace, name)

    def until(name: str, expected: str) -> None:
        eventually(lambda: content(source, cluster, name) == expected, what=f"{name}: {expected}")

    cluster.apply(secret("tls", "wanted-first"), secret("other", "unwanted-1"))
    config = write_kubeconfig(tmp_path / "kubeconfig", fault_proxy.address, plane.ca, {"token": plane.admin_token})
    options = ClusterOptions(
        namespaces=(cluster.namespace,),
        own_namespace=cluster.namespace,
        secret_access="watch" if access == "watch" else "named",
    )
    with Watching(config, options, [needs("tls")]) as source:
        assert content(source, cluster, "tls") == "wanted-first"
        assert not knows(source, *UNWANTED)
        # Others change, come and go; the one that is named changes last, so that all before it was seen.
        cluster.apply(secret("other", "unwanted-2"), secret("bystander", "unwanted-3"), secret("brief", "unwanted-4"))
        cluster.delete("Secret", "brief")
        cluster.apply(secret("tls", "wanted-second"))
        until("tls", "wanted-second")
        assert knows(source, "wanted-second")
        assert not knows(source, "wanted-first", *UNWANTED)
        assert knows(source, "bystander") == (access == "watch"), "the name is kept, to know that it is there"
        # What is named later is kept while it is named.
        source.need([needs("other")])
        until("other", "unwanted-2")
        assert knows(source, *UNWANTED)
        source.need([], [needs("other")])
        until("other", "")
        assert not knows(source, *UNWANTED)
    lists = fault_proxy.calls(resource="secrets", is_list=True)
    assert bool([call for call in lists if "metadata.name" not in call.query.get("fieldSelector", "")]) == (
        access == "watch"
    )
