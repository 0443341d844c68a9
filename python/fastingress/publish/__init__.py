"""From the translated model to the live table: diff by key, compile and swap, keep the last good.

| module | what it is |
|---|---|
| `core` | what this package asks of the Rust side |
| `change` | the difference between what is wanted and what is published |
| `publisher` | the loop around them: single flight, latest wins |
| `book` | all problems that stand, by scope, and what was raised or cleared |
| `refusals` | what the Rust side refused, told in terms of objects and files |
"""

from __future__ import annotations

from fastingress.publish.book import ProblemBook
from fastingress.publish.change import Published
from fastingress.publish.core import Core
from fastingress.publish.publisher import Outcome, Publisher, publish
from fastingress.publish.refusals import Refusals, decode_scopes

__all__ = ["Core", "Outcome", "ProblemBook", "Published", "Publisher", "Refusals", "decode_scopes", "publish"]
