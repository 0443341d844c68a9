"""Where the API server is, and a raw watch of it: nothing but a socket, TLS and lines, the least that anyone can do."""

from __future__ import annotations

import http.client
import json
import ssl
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from tests.cluster.support.api import Api, collection


class Access(NamedTuple):
    """An API server, and who may do everything there."""

    address: tuple[str, int]
    ca: Path
    token: str

    def api(self) -> Api:
        """A client."""
        return Api(self.address, self.context(), self.token)

    def context(self) -> ssl.SSLContext:
        """Trusts the server's CA."""
        return ssl.create_default_context(cafile=self.ca)

    def lines(self, kind: str, query: str) -> Iterator[bytes]:
        """The lines of a watch of all objects of a kind, without their ends, for ever."""
        connection = http.client.HTTPSConnection(*self.address, context=self.context())
        headers = {"Authorization": f"Bearer {self.token}", "Accept": "application/json"}
        connection.request("GET", f"{collection(kind)}?watch=true&allowWatchBookmarks=true&{query}", headers=headers)
        response = connection.getresponse()
        if response.status != 200:
            raise RuntimeError(f"a watch of {kind}: {response.status} {response.read()!r}")
        with closing(connection), response:
            while line := response.readline():
                yield line.rstrip(b"\n")

    def version(self, kind: str) -> str:
        """Of the collection as it is now."""
        api = self.api()
        try:
            found = api.call("GET", collection(kind), query={"limit": "1"})
        finally:
            api.close()
        return str(found["metadata"]["resourceVersion"])

    def to_json(self) -> str:
        """For the command line of another process."""
        return json.dumps([self.address, str(self.ca), self.token])


def from_json(text: str) -> Access:
    """What `to_json` wrote."""
    address, ca, token = json.loads(text)
    return Access((address[0], address[1]), Path(ca), token)
