"""Where objects come from."""

from __future__ import annotations
