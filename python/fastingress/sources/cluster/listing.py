"""A list in pages, for servers that do not send it as a stream, and the list of one object.

At most one page is in memory, as bytes.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

import msgspec

from fastingress.api import NOT_FOUND, ApiError
from fastingress.sources.cluster.collection import Collection
from fastingress.sources.cluster.transport import Api
from fastingress.sources.cluster.wire import Page, page_of

WITHIN = 30.0
"""Seconds for a page."""


def selectors(collection: Collection) -> dict[str, str]:
    """The parameters that choose the objects of a collection."""
    fields = f"metadata.name={collection.name}" if collection.name else collection.field_selector
    chosen = {"fieldSelector": fields, "labelSelector": collection.label_selector}
    return {name: value for name, value in chosen.items() if value}


async def pages(api: Api, collection: Collection, size: int) -> AsyncIterator[Page]:
    """All pages of a list as it is now; a list of one object is a GET of it, without a permission to list.

    Raises ApiError, Unreachable and Garbage. A 410 in its midst means that all of it has to be asked for again.
    """
    if collection.name:
        yield await _one(api, collection)
        return
    query = {**selectors(collection), "limit": str(size)}
    while True:
        page = page_of(await api.call("GET", collection.path, query=query, timeout=WITHIN))
        yield page
        if not page.rest:
            return
        query["continue"] = page.rest


async def _one(api: Api, collection: Collection) -> Page:
    """It has no version to watch from: absence has none, and that of an object may be older than all that is kept."""
    try:
        body = await api.call("GET", f"{collection.path}/{collection.name}", timeout=WITHIN)
    except ApiError as error:
        if error.status != NOT_FOUND:
            raise
        return Page([], "", "")
    return Page([msgspec.Raw(body)], "", "")
