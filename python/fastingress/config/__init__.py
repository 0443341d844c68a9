"""What can be configured for a process: declared once, in `declared`, as data.

Help texts, environment variables, keyword arguments of the library and the reference page all come from there. What can
be configured per Ingress are annotations, which are the business of `translate`.
"""

from __future__ import annotations

from fastingress.config.declared import Config
from fastingress.config.flag import FLAGS, Flag
from fastingress.config.sources import from_arguments, from_options, unknown_variables
from fastingress.config.together import refuse_contradictions, without_effect

__all__ = [
    "FLAGS",
    "Config",
    "Flag",
    "from_arguments",
    "from_options",
    "refuse_contradictions",
    "unknown_variables",
    "without_effect",
]
