"""Objects to the desired state: pure, incremental, one problem per thing that is wrong.

`engine` holds the translator; `ingress`, `backends`, `certificates` and `settings` each turn one kind of object into
its part of the model; `classes` says which Ingresses are ours; `annotations` reads what they ask for.
"""

from __future__ import annotations

from fastingress.translate.delta import Counts, Delta
from fastingress.translate.engine import Translator
from fastingress.translate.options import Options, StreamOptions
from fastingress.translate.units import UNITS_OF_SECRETS

__all__ = ["UNITS_OF_SECRETS", "Counts", "Delta", "Options", "StreamOptions", "Translator"]
