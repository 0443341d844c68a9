"""The settings of the process, from what the user chose on the command line."""

from __future__ import annotations

import msgspec

from fastingress.model import Settings, Target
from fastingress.translate.options import Options

PROCESS = "process"
"""The scope that all others fall back to."""


def translate_settings(options: Options) -> Settings:
    """What every route inherits."""
    backend = options.default_backend_key
    return msgspec.structs.replace(
        options.settings,
        compat=options.compat,
        trusted_proxies=options.trusted_proxies or options.settings.trusted_proxies,
        default_backend=Target(service=backend, endpoints=backend) if backend else None,
        default_certificate=options.default_ssl_certificate or None,
    )
