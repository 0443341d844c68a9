"""Fixtures of the cluster tests: one control plane for all of them, and a corner of it for each."""

from __future__ import annotations

import itertools
import os
import re
import shutil
import ssl
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.cluster.support import control_plane
from tests.cluster.support.api import Api
from tests.cluster.support.control_plane import ControlPlane
from tests.cluster.support.controller import Controller, Controllers
from tests.cluster.support.fault_proxy import FaultProxy
from tests.cluster.support.space import Space, space
from tests.support import helm as program
from tests.support.skipping import Skipping, that_use

_FOLDER = Path(__file__).parent
_numbers = itertools.count(1)
_skipping = Skipping()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skips the whole folder where there can be no control plane, and what uses the fixture `helm` where that is not;
    or refuses to run where both are required."""
    ours = [item for item in items if item.path.is_relative_to(_FOLDER)]
    _skipping.without(control_plane.missing, ours, "CLUSTER TESTS")
    _skipping.without(program.missing, that_use("helm", ours), "CLUSTER TESTS OF THE CHART")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Says at the end what was skipped, in one loud line."""
    _skipping.tell(terminalreporter)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Shows what controllers said and what the fault proxy was asked, where a test has failed."""
    report = yield
    found = getattr(item, "funcargs", {})
    if report.failed and report.when == "call":
        if "controllers" in found:
            for number, each in enumerate(found["controllers"].running, 1):
                report.sections.append((f"Captured controller log, of number {number}", each.log))
        if "fault_proxy" in found:
            calls = "\n".join(str(call) for call in found["fault_proxy"].calls()[-100:])
            report.sections.append(("Last calls at the fault proxy", calls))
    return report


@pytest.fixture(scope="package")
def control_plane_at(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """The control plane of this folder's tests; gone when the last of them has ended."""
    state = tmp_path_factory.mktemp("controlplane")
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, state / "etcd", ignore_errors=True)
        stack.callback(control_plane.end, state)
        yield control_plane.start(state, f"fastingress-{os.getpid()}")


@pytest.fixture
def helm() -> None:
    """For tests that run it; `tests.support.helm` does."""


@pytest.fixture(autouse=True)
def plane(control_plane_at: ControlPlane) -> Iterator[ControlPlane]:
    """The control plane, with the main thread in its network: sockets and processes of a test are beside the pods."""
    with control_plane_at.network.inside():
        yield control_plane_at


@pytest.fixture
def api(plane: ControlPlane) -> Iterator[Api]:
    """The API, as admin."""
    made = Api(plane.address, ssl.create_default_context(cafile=plane.ca), plane.admin_token)
    yield made
    made.close()


@pytest.fixture
def cluster(plane: ControlPlane, api: Api, request: pytest.FixtureRequest) -> Iterator[Space]:
    """The test's own namespace and class."""
    with space(plane, api, _name_of(request)) as made:
        yield made


@pytest.fixture
def spaces(plane: ControlPlane, api: Api, request: pytest.FixtureRequest) -> Iterator[Callable[[], Space]]:
    """Makes further namespaces, each with a class."""
    with ExitStack() as stack:
        yield lambda: stack.enter_context(space(plane, api, _name_of(request)))


@pytest.fixture
def controllers(cluster: Space, tmp_path: Path) -> Iterator[Controllers]:
    """Starts controllers and makes accounts for them."""
    made = Controllers(cluster, tmp_path)
    yield made
    made.close()


@pytest.fixture
def controller(controllers: Controllers) -> Callable[..., Controller]:
    """Starts a controller: `controller(publish_service="a/b")`. See `Controllers.start`."""
    return controllers.start


@pytest.fixture
def fault_proxy(plane: ControlPlane) -> Iterator[FaultProxy]:
    """A proxy before the API server that does nothing yet."""
    with FaultProxy(plane.address, ca=plane.ca, ca_key=plane.ca_key) as made:
        yield made


def _name_of(request: pytest.FixtureRequest) -> str:
    """A name for a namespace that says whose it is."""
    plain = re.sub(r"[^a-z0-9]+", "-", request.node.name.lower().removeprefix("test_"))
    return f"t{next(_numbers)}-{plain[:40].strip('-')}".rstrip("-")
