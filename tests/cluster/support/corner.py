"""What several tests of one file share: a namespace, controllers and a fault proxy that live as long as the file."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

from tests.cluster.support.api import Api
from tests.cluster.support.control_plane import ControlPlane
from tests.cluster.support.controller import Controllers
from tests.cluster.support.fault_proxy import FaultProxy
from tests.cluster.support.space import Space, space


class Corner(NamedTuple):
    """A place in the cluster."""

    space: Space
    controllers: Controllers
    proxy: FaultProxy


@contextmanager
def corner(plane: ControlPlane, folder: Path, name: str) -> Iterator[Corner]:
    """Makes one, for a fixture of a module. The calling thread is in the network of the pods until its end."""
    with ExitStack() as stack:
        stack.enter_context(plane.network.inside())
        api = Api(plane.address, ssl.create_default_context(cafile=plane.ca), plane.admin_token)
        stack.callback(api.close)
        made = stack.enter_context(space(plane, api, name))
        proxy = stack.enter_context(FaultProxy(plane.address, ca=plane.ca, ca_key=plane.ca_key))
        controllers = Controllers(made, folder)
        stack.callback(controllers.close)
        yield Corner(made, controllers, proxy)
