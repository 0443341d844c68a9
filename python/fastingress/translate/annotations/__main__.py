"""`python -m fastingress.translate.annotations` writes the reference page to stdout."""

from __future__ import annotations

import sys

from fastingress.translate.annotations.reference import reference_markdown

if __name__ == "__main__":
    sys.stdout.write(reference_markdown())
