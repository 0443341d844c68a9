from __future__ import annotations

import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.support.fault_proxy import FaultProxy
from tests.unit.cluster_support.script import ScriptedServer


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ScriptedServer]:
    with ScriptedServer(tmp_path) as made:
        yield made


@pytest.fixture
def proxy(server: ScriptedServer) -> Iterator[FaultProxy]:
    with FaultProxy(server.address, ca=server.ca, ca_key=server.ca_key) as made:
        yield made


@pytest.fixture
def trust(server: ScriptedServer) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=server.ca)
