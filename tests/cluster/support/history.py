"""All that became of the objects of a kind since some version, whoever changed them: nothing in between is missed."""

from __future__ import annotations

import http.client
import json
import ssl
from typing import Any, NamedTuple
from urllib.parse import urlencode

from tests.cluster.support.api import collection
from tests.cluster.support.space import Space
from tests.support.manifests import Manifest


class Change(NamedTuple):
    """One version of an object."""

    type: str
    """`ADDED`, `MODIFIED` or `DELETED`."""
    object: Manifest


def now(space: Space) -> str:
    """The version of the cluster as it is now."""
    made = space.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "tests-now"}})
    touched = space.patch(
        "ConfigMap", made["metadata"]["name"], {"data": {"after": made["metadata"]["resourceVersion"]}}
    )
    return str(touched["metadata"]["resourceVersion"])


def changes(space: Space, kind: str, since: str) -> list[Change]:
    """What happened in the namespace of the test, in its order, from that version to this moment."""
    until = int(now(space))
    query = {"watch": "1", "resourceVersion": since, "allowWatchBookmarks": "true", "timeoutSeconds": "2"}
    target = f"{collection(kind, space.namespace)}?{urlencode(query)}"
    trust = ssl.create_default_context(cafile=space.plane.ca)
    connection = http.client.HTTPSConnection(*space.plane.address, context=trust, timeout=30)
    found: list[Change] = []
    try:
        connection.request("GET", target, headers={"Authorization": f"Bearer {space.plane.admin_token}"})
        answer = connection.getresponse()
        assert answer.status == 200, answer.read()
        for line in answer:
            event: dict[str, Any] = json.loads(line)
            assert event["type"] != "ERROR", event
            if int(event["object"]["metadata"]["resourceVersion"]) > until:
                break
            if event["type"] != "BOOKMARK":
                found.append(Change(event["type"], event["object"]))
    finally:
        connection.close()
    return found
