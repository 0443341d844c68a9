"""Secret and ConfigMap (v1)."""

from __future__ import annotations

from typing import ClassVar

from msgspec import field

from fastingress.objects.base import Object, fill


class Secret(Object, frozen=True, rename="camel", omit_defaults=True, gc=False, kw_only=True):
    """Certificates, keys, passwords. Printing one shows the names of its entries and nothing of their content."""

    kind: ClassVar[str] = "Secret"
    api_version: ClassVar[str] = "v1"

    type: str = "Opaque"
    data: dict[str, bytes] = field(default_factory=dict)
    """Decoded from base64, with `stringData` merged over it."""
    string_data: dict[str, str] = field(default_factory=dict)
    """Always empty once decoded."""

    def __post_init__(self) -> None:
        if self.string_data:
            merged = self.data | {name: text.encode() for name, text in self.string_data.items()}
            fill(self, "data", merged)
            fill(self, "string_data", {})

    def __repr__(self) -> str:
        return f"Secret({self.metadata.namespace}/{self.metadata.name}, {sorted(self.data)}, content withheld)"

    def significant(self) -> tuple[object, ...]:  # noqa: D102 # as in the base
        return (self.type, self.data)


class ConfigMap(Object, frozen=True, rename="camel", omit_defaults=True, gc=False, kw_only=True):
    """Settings as text."""

    kind: ClassVar[str] = "ConfigMap"
    api_version: ClassVar[str] = "v1"

    data: dict[str, str] = field(default_factory=dict)

    def significant(self) -> tuple[object, ...]:  # noqa: D102 # as in the base
        return (self.data,)
