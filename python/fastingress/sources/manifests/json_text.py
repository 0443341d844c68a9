"""The text of a JSON file into plain data, strictly: no duplicate keys, no NaN, bounded nesting."""

from __future__ import annotations

import json
from typing import Any

from fastingress.sources.manifests.yaml_text import MOST_NESTED, Document, DocumentError


def parse(text: str) -> Document:
    """Raises DocumentError."""
    try:
        data = json.loads(text, object_pairs_hook=_mapping, parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        raise DocumentError(f"{error.msg}, column {error.colno}", error.lineno - 1) from None
    except RecursionError:
        raise DocumentError(f"nested more than {MOST_NESTED} levels deep", 0) from None
    except ValueError as error:
        raise DocumentError(str(error), 0) from None
    return Document(data, ())


def _mapping(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        seen: set[str] = set()
        for name, _ in pairs:
            if name in seen:
                raise DocumentError(f'duplicate key "{name}"', 0)
            seen.add(name)
    return result


def _refuse_constant(word: str) -> Any:
    raise DocumentError(f"{word} is not JSON", 0)
