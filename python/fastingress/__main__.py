"""`python -m fastingress`, and the command `fastingress`."""

from __future__ import annotations

import os
import signal
import sys


def main() -> None:
    """Run a command line and exit with its status."""
    _fill_standard_descriptors()
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        # Until a gateway has its own handler an interrupt just ends the process, also amid imports.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from fastingress.cli import main as command_line

    sys.exit(command_line(sys.argv[1:]))


def _fill_standard_descriptors() -> None:
    """Whoever starts us may have closed some of them: no socket of ours may get such a number, and be written to."""
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free, which is this one


if __name__ == "__main__":
    main()
