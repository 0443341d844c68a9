"""Types of arguments that the commands of the benches share."""

from __future__ import annotations

import argparse


def count(text: str) -> int:
    """A number above 0. Raises `argparse.ArgumentTypeError` for anything else."""
    if not text.isdecimal() or not (number := int(text)):
        raise argparse.ArgumentTypeError(f"{text!r} is no number above 0")
    return number
