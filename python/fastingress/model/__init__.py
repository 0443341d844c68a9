"""What crosses the boundary to the Rust core: frozen values, their encoding, their digest, and the answer.

Nothing here knows Kubernetes; nothing here decides anything. `schema` mirrors `rust/route/src/schema.rs` name by name.
"""

from __future__ import annotations

from fastingress.model.change_set import decode, decode_change_set, encode, encode_change_set
from fastingress.model.digest import Digest, digest_of
from fastingress.model.report import Compiled, Report, ReportedProblem, decode_report
from fastingress.model.schema import (
    KIND_OF,
    STRUCT_OF,
    VERSION,
    Balance,
    Certificate,
    ChangeSet,
    Compat,
    DnsTarget,
    EndpointSet,
    Entry,
    Fragment,
    HeaderEdits,
    IngressRef,
    Key,
    Kind,
    PathKind,
    Policy,
    Redirect,
    Route,
    Settings,
    Target,
    Upstream,
)

__all__ = [
    "KIND_OF",
    "STRUCT_OF",
    "VERSION",
    "Balance",
    "Certificate",
    "ChangeSet",
    "Compat",
    "Compiled",
    "Digest",
    "DnsTarget",
    "EndpointSet",
    "Entry",
    "Fragment",
    "HeaderEdits",
    "IngressRef",
    "Key",
    "Kind",
    "PathKind",
    "Policy",
    "Redirect",
    "Report",
    "ReportedProblem",
    "Route",
    "Settings",
    "Target",
    "Upstream",
    "decode",
    "decode_change_set",
    "decode_report",
    "digest_of",
    "encode",
    "encode_change_set",
]
