"""An application for ASGI servers: says what it was asked, and sends bodies back."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]


async def app(scope: dict[str, Any], receive: Receive, send: Send) -> None:
    """`/echo` sends the body back as it comes; anything else answers with version, method and path."""
    if scope["type"] != "http":
        return
    told = f"HTTP/{scope['http_version']} {scope['method']} {scope['path']}".encode()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"x-told", told)]})
    more = True
    while more:
        event = await receive()
        more = event.get("more_body", False)
        if scope["path"] == "/echo":
            await send({"type": "http.response.body", "body": event.get("body", b""), "more_body": more})
    if scope["path"] != "/echo":
        await send({"type": "http.response.body", "body": told})
