"""Reads the byte-level corpus of `rust/http1/tests/corpus`: what holds for the parser is also shown on the wire.

The form of the files is said in the corpus's own README.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

_FOLDER = Path(__file__).parents[2] / "rust" / "http1" / "tests" / "corpus"
_ESCAPE = re.compile(r"\\(?:x(?P<hex>[0-9a-f]{2})|\{(?P<byte>.)\*(?P<count>[0-9]+)\}|(?P<one>[rnt0\\]))", re.DOTALL)
_ONE = {"r": b"\r", "n": b"\n", "t": b"\t", "0": b"\0", "\\": b"\\"}


@dataclass(frozen=True)
class Case:
    """Bytes that arrive, and what must come of them."""

    about: str
    sent: bytes
    outcome: str
    method: str = "GET"
    upgrade: bool = False

    @property
    def head_is_refused(self) -> bool:
        """The head may not pass; what follows it does not matter."""
        return self.outcome.startswith("refused ")

    @property
    def body_is_refused(self) -> bool:
        """The head may pass, and what follows it is at fault."""
        return "refused " in self.outcome and not self.head_is_refused

    @property
    def is_cut_short(self) -> bool:
        """Nothing is wrong with it but that there should be more."""
        return self.outcome == "incomplete" or "refused truncated" in self.outcome


def cases(name: str) -> list[Case]:
    """The cases of one file: `requests`, `responses` or `chunks`."""
    text = (_FOLDER / f"{name}.txt").read_text(encoding="utf-8")
    return [_case(part) for part in text.split("\n== ")[1:]]


def unescape(text: str) -> bytes:
    """The bytes that an escaped line stands for."""
    out = bytearray()
    at = 0
    for found in _ESCAPE.finditer(text):
        out += text[at : found.start()].encode()
        at = found.end()
        if found["hex"]:
            out.append(int(found["hex"], 16))
        elif found["byte"]:
            out += found["byte"].encode() * int(found["count"])
        else:
            out += _ONE[found["one"]]
    return bytes(out + text[at:].encode())


def _case(part: str) -> Case:
    about, *lines = part.split("\n")
    sent = bytearray()
    method, upgrade = "GET", False
    for line in lines:
        if line == "[HEAD]":
            method = "HEAD"
        elif line == "[upgrade]":
            upgrade = True
        elif line.startswith("=>"):
            return Case(about, bytes(sent), line[2:].strip(), method, upgrade)
        else:
            sent += unescape(line)
    raise ValueError(f"{about}: no outcome")
