"""`python -m fastingress`, and the command `fastingress`."""

from __future__ import annotations

import sys


def main() -> None:
    """Run a command line and exit with its status."""
    from fastingress.cli import main as command_line

    sys.exit(command_line(sys.argv[1:]))


if __name__ == "__main__":
    main()
