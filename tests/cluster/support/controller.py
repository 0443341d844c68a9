"""fastingress as an ingress controller, in a process of its own, as a pod would run it but for the pod."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from tests.cluster.support.account import Account, rbac_of, write_kubeconfig
from tests.cluster.support.fault_proxy import FaultProxy
from tests.cluster.support.space import Space
from tests.support.client import Address
from tests.support.http1 import Response
from tests.support.process import Started, command_with

ELECTION = "fastingress-leader"
_NOT_OURS = ("KUBECONFIG", "KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT")


class Controller(Started):
    """A running controller, ready."""

    @property
    def log(self) -> str:
        """What it has said so far."""
        return self.errors.text

    def metric(self, name: str, **labels: str) -> float:
        """The sum of a metric's samples with these labels."""
        return self.metrics().sum(name, **labels)

    def service_at(self, target: str = "/", *, host: str) -> str:
        """Which Service's pod answers a GET; the status when it is not 200."""
        answer = self.get(target, host=host)
        return str(answer.json()["service"]) if answer.status == 200 else str(answer.status)

    def until_routed(self, host: str, target: str = "/", *, status: int = 200) -> Response:
        """The first answer of that status for a host: an Ingress is live a moment after it is made."""
        answers: list[Response] = []

        def answered() -> bool:
            answers.append(self.get(target, host=host))
            assert answers[-1].status == status, answers[-1].raw_head
            return True

        self.until(answered)
        return answers[-1]

    def stop(self) -> int:
        """SIGTERM; its exit status."""
        if self.child.poll() is None:
            self.signal(signal.SIGTERM)
        return self.exit_status()


class Controllers:
    """Starts controllers for one test; the fixture `controller` is its `start`. All end with the test."""

    def __init__(self, space: Space, folder: Path) -> None:
        self.running: list[Controller] = []
        """All that were started, in their order."""
        self._space = space
        self._folder = folder
        self._made = 0
        self._stack = ExitStack()

    def start(
        self,
        *,
        account: Account | None = None,
        token: str = "",
        through: FaultProxy | None = None,
        environment: Mapping[str, str] | None = None,
        wait: bool = True,
        leads_at_once: bool = True,
        **options: Any,
    ) -> Controller:
        """Starts one and waits until it is ready, unless told not to: then its `until_ready` does.

        Where no Lease is, a controller leads after 15 seconds only. So it finds one that another has given back, unless
        it is not to lead at once.

        It has the class of the test, a lease and identity of the test's namespace, free ports, and may do everything,
        unless it is given an account: then it may do what that may. `through`: by way of a fault proxy. Options are
        flags; `None` leaves a flag out.
        """
        if leads_at_once:
            self._space.give_back_lease(options.get("election_id", ELECTION))
        places = None
        if not wait:
            http, https, admin = places = (free_address(), free_address(), free_address())
            options = {"http_port": http[1], "https_port": https[1], "admin_port": admin[1], **options}
        command, surroundings = self.command(
            account=account, token=token, through=through, environment=environment, **options
        )
        return self.run(command, surroundings, places=places)

    def run(
        self,
        command: list[str],
        surroundings: dict[str, str],
        *,
        places: tuple[Address, Address, Address] | None = None,
    ) -> Controller:
        """Runs one in a way of the test's own; waits for readiness, unless `places` says where it will be."""
        made = Controller(command, surroundings, places=places)
        self._stack.callback(made.close)
        self.running.append(made)
        return made

    def command(
        self,
        *,
        account: Account | None = None,
        token: str = "",
        through: FaultProxy | None = None,
        environment: Mapping[str, str] | None = None,
        **options: Any,
    ) -> tuple[list[str], dict[str, str]]:
        """The command line and the environment: for a test that starts it in a way of its own."""
        self._made += 1
        space, plane = self._space, self._space.plane
        number = self._made
        token = token or (account.token() if account else plane.admin_token)
        address = through.address if through else plane.address
        config = write_kubeconfig(self._folder / f"kubeconfig-{number}", address, plane.ca, {"token": token})
        chosen = {
            "kubeconfig": config,
            "controller_class": space.controller_class,
            "election_id": ELECTION,
            **options,
        }
        inherited = {key: value for key, value in os.environ.items() if key not in _NOT_OURS}
        identity = {"POD_NAME": f"fastingress-{number}", "POD_NAMESPACE": space.namespace, "NODE_NAME": "node-a"}
        command = command_with(**{key: value for key, value in chosen.items() if value is not None})
        return command, {**inherited, **identity, **(environment or {})}

    def account(self, *flags: str, name: str = "fastingress") -> Account:
        """A ServiceAccount that may do exactly what `fastingress rbac` prints for these flags.

        Add the flags that the controller is started with; its own namespace is the test's.
        """
        made = Account(self._space, name)
        made.bind(rbac_of(flags, namespace=self._space.namespace))
        return made

    def close(self) -> None:
        """Ends all."""
        self._stack.close()


def free_address() -> Address:
    """A port that nobody has; in the network namespace of the tests nobody else takes it."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        found: Address = taken.getsockname()
    return found
