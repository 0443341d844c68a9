"""A file's text into the texts of its documents, by the lines that separate them. Nothing is parsed here.

At the start of a line `---` or `...` ends a document whatever it stands in (YAML 1.2, section 9.1.2: neither may be
content), so this needs no parser, and a document whose text is the same as before need not be parsed again.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

_SEPARATOR = re.compile(r"^(?:---|\.\.\.)(?=[ \t\r\n]|\Z)", re.MULTILINE)
_NOTHING = r"(?:(?:---|\.\.\.)(?:[ \t]+#[^\n]*|[ \t]*)|[ \t]*(?:#[^\n]*)?)\r?"
_PREAMBLE = re.compile(rf"(?:{_NOTHING}\n|%(?:YAML|TAG)[^\n]*\n)*(?:{_NOTHING}\Z)?")


class Chunk(NamedTuple):
    """The text of one document, without the separator and the comments before it."""

    text: str
    line: int
    """1-based line at which the text begins."""


def split(text: str) -> Iterator[Chunk]:
    """The documents of a file, those without content left out."""
    line = 1
    begin = 0
    for separator in _SEPARATOR.finditer(text):
        if separator.start() > begin:
            yield from _chunk(text[begin : separator.start()], line)
            line += text.count("\n", begin, separator.start())
            begin = separator.start()
    yield from _chunk(text[begin:], line)


def _chunk(text: str, line: int) -> Iterator[Chunk]:
    preamble = _PREAMBLE.match(text)
    skipped = preamble.end() if preamble else 0
    content = text[skipped:]
    if content:
        yield Chunk(content, line + text.count("\n", 0, skipped))
