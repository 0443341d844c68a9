"""What the control plane says: log lines on standard error, and problems among them.

What is said of requests (access log, metrics, health) is the data plane's.
"""

from __future__ import annotations

from fastingress.observe.log import FIELDS, setup
from fastingress.observe.problem_log import log_cleared, log_raised

__all__ = ["FIELDS", "log_cleared", "log_raised", "setup"]
