"""Redirects to fixed places, of the root, and between a host and its `www.` twin."""

from __future__ import annotations

from fastingress.model import Redirect
from fastingress.translate.annotations.declare import Annotation, Draft, Family
from fastingress.translate.annotations.values import BOOLEAN, PATH, URL, status_code

PERMANENT = Annotation(
    "permanent-redirect", URL, "Answer every request with a redirect to this URL.", scope="path", risk="medium"
)
PERMANENT_CODE = Annotation(
    "permanent-redirect-code", status_code(300, 308), "The status of permanent-redirect.", default="301", scope="path"
)
TEMPORAL = Annotation(
    "temporal-redirect",
    URL,
    "Answer every request with a redirect to this URL. Wins over permanent-redirect.",
    scope="path",
    risk="medium",
)
TEMPORAL_CODE = Annotation(
    "temporal-redirect-code", status_code(300, 307), "The status of temporal-redirect.", default="302", scope="path"
)
APP_ROOT = Annotation(
    "app-root",
    PATH,
    "Redirect (302) a request for exactly `/` to this path.",
    scope="path",
    risk="medium",
    policy="app_root",
)
FROM_TO_WWW = Annotation(
    "from-to-www-redirect",
    BOOLEAN,
    "Redirect the `www.` twin of each host to the host, or the bare name to the `www.` host.",
    default="false",
    scope="host",
)


def _combine(draft: Draft) -> None:
    values = draft.values
    location = values.get(TEMPORAL)
    code = values.get(TEMPORAL_CODE) or 302
    if location is None:
        location = values.get(PERMANENT)
        code = values.get(PERMANENT_CODE) or 301
    if location is not None:
        draft.policy["redirect"] = Redirect(location=location, code=code)


FAMILY = Family(
    "Redirects",
    (PERMANENT, PERMANENT_CODE, TEMPORAL, TEMPORAL_CODE, APP_ROOT, FROM_TO_WWW),
    _combine,
)
