"""Bodies of answers: whole, as lines, or as the reason of a refusal. What breaks off is `Unreachable`."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from fastingress.api import ApiError, Unreachable
from fastingress.sources.cluster.answers import Silent, cause_of, error_of
from fastingress.sources.cluster.splitting import LineSplitter, TooLong

if TYPE_CHECKING:
    import aiohttp

MOST_BYTES = 256 << 20
"""Bytes that the answer to a call may have."""
MOST_BYTES_OF_AN_ERROR = 64 << 10
ERROR_WITHIN = 5.0
"""Seconds that the body of an error may take; without it there is still the status."""


async def refusal(response: aiohttp.ClientResponse, method: str, path: str) -> ApiError:
    """What an answer says that is no success; what of it does not come in time is left out."""
    body = b""
    with contextlib.suppress(Unreachable, asyncio.TimeoutError):
        body = await asyncio.wait_for(whole(response, method, path, MOST_BYTES_OF_AN_ERROR), ERROR_WITHIN)
    return error_of(method, path, response.status, response.headers, body)


async def whole(response: aiohttp.ClientResponse, method: str, path: str, most: int = MOST_BYTES) -> bytes:
    """All of a body, of at most `most` bytes. Raises `Unreachable`."""
    parts: list[bytes] = []
    size = 0
    try:
        async for part in response.content.iter_any():
            parts.append(part)
            size += len(part)
            if size > most:
                raise Unreachable(f"{method} {path}: an answer of more than {most} bytes")
    except Unreachable:
        raise
    except asyncio.TimeoutError as error:
        raise Silent(f"{method} {path}: {cause_of(error)}") from None
    except Exception as error:
        raise Unreachable(f"{method} {path}: the answer broke off: {cause_of(error)}") from None
    return b"".join(parts)


async def lines_of(response: aiohttp.ClientResponse, path: str, silent: float) -> AsyncIterator[bytes]:
    """The lines of a body as they come. Raises `Silent` after so many seconds without a byte, and `Unreachable`."""
    splitter = LineSplitter()
    content = response.content
    while True:
        try:
            whole_lines = splitter.feed(await content.readany())
            ended = not whole_lines and content.at_eof()
        except asyncio.TimeoutError:
            raise Silent(f"GET {path}: nothing came for {silent:.3g} s") from None
        except TooLong as error:
            raise Unreachable(f"GET {path}: {error}") from None
        except Exception as error:
            raise Unreachable(f"GET {path}: the stream broke off: {cause_of(error)}") from None
        for line in whole_lines:
            yield line
        if ended:
            break
    if splitter.rest():
        raise Unreachable(f"GET {path}: the stream ended within a line")
