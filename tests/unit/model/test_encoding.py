"""Equal values have equal bytes; digests add up in any order."""

from __future__ import annotations

import copy
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastingress import model
from fastingress.model import Certificate, Digest, EndpointSet, Fragment, IngressRef, Policy, Settings, Upstream


@pytest.mark.parametrize("value", [Settings(), EndpointSet(), Upstream(), Policy()])
def test_defaults_are_left_out_even_when_they_are_other_objects(value: msgspec.Struct) -> None:
    fields = {name: _fresh(getattr(value, name)) for name in value.__struct_fields__}
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(type(value)(**fields))) == {}


def test_fragment_leaves_out_an_equal_scope_and_policy() -> None:
    ingress = IngressRef("default", "shop", "u")
    plain = Fragment(host="a", ingress=ingress, age="0")
    spelt = Fragment(host="a", ingress=ingress, age="0", scope=_fresh("process"), policy=_fresh(Policy()))
    assert model.encode(plain) == model.encode(spelt)


def test_unknown_field_is_an_error() -> None:
    with pytest.raises(msgspec.ValidationError):
        model.decode(msgspec.msgpack.encode({"known": True, "colour": "red"}), EndpointSet)


def test_certificate_is_never_printed() -> None:
    value = Certificate(chain=b"chain", key=b"very secret")
    assert "secret" not in repr(value)
    assert "secret" not in str(value)


def test_change_set_carries_values_as_binary() -> None:
    blob = model.encode_change_set({("upstream", "x"): b"\x80"}, [("fragment", "h/u")], full=False)
    assert msgspec.msgpack.decode(blob) == {
        "version": 1,
        "full": False,
        "upserts": [["upstream", "x", b"\x80"]],
        "removals": [["fragment", "h/u"]],
    }


def test_digest_of_nothing_is_zero() -> None:
    assert Digest().hex() == "0" * 32


ENTRIES = st.dictionaries(
    st.tuples(st.sampled_from(list(model.STRUCT_OF)), st.text(max_size=8)), st.binary(max_size=16), max_size=12
)


@given(entries=ENTRIES, extra=ENTRIES, order=st.randoms())
def test_digest_does_not_depend_on_order_nor_on_what_came_and_went(
    entries: dict[model.Key, bytes], extra: dict[model.Key, bytes], order: Any
) -> None:
    straight, wandering = Digest(), Digest()
    for key, blob in entries.items():
        straight.add(key, blob)
    steps = [*entries.items(), *extra.items()]
    order.shuffle(steps)
    for key, blob in steps:
        wandering.add(key, blob)
    for key, blob in extra.items():
        wandering.remove(key, blob)
    assert straight.hex() == wandering.hex()
    assert straight.hex() == format(sum(model.digest_of(*entry) for entry in entries.items()) % 2**128, "032x")


def _fresh(value: Any) -> Any:
    """An equal value that is another object wherever Python allows."""
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int):
        return int(str(value))
    if isinstance(value, str):
        return "".join(list(value))
    if isinstance(value, tuple):
        return tuple(_fresh(item) for item in value)
    return copy.copy(value)
