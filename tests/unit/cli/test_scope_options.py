"""Options that say which part of a cluster is watched: a slip must not widen it."""

from __future__ import annotations

import pytest

from fastingress.config import from_arguments
from fastingress.errors import ConfigError


@pytest.mark.parametrize("option", ["watch_namespace", "watch_namespace_selector", "kubeconfig", "context"])
@pytest.mark.parametrize("from_environment", [False, True])
def test_an_empty_value_is_refused_and_does_not_mean_everything(option: str, from_environment: bool) -> None:
    value: object = [""] if option == "watch_namespace" else ""
    arguments = {} if from_environment else {option: value}
    environment = {f"FASTINGRESS_{option.upper()}": ""} if from_environment else {}
    with pytest.raises(ConfigError, match="must not be empty"):
        from_arguments(arguments, environment)


@pytest.mark.parametrize(
    "text",
    [
        "team=shop",
        "team==shop,stage!=test",
        "team",
        "!team",
        "example.com/team in (a, b),stage notin (x)",
        "team=",
        " team = shop , other ",
    ],
)
def test_selectors(text: str) -> None:
    assert from_arguments({"watch_namespace_selector": text}, {}).watch_namespace_selector == text.strip()


@pytest.mark.parametrize("text", ["=shop", "team==,,=x", "team in", "team in ()x", "a b", "team=sh op", ",", "-a=b"])
def test_what_is_no_selector_is_refused_at_the_start(text: str) -> None:
    with pytest.raises(ConfigError, match=r"^--watch-namespace-selector: .* is not a label selector"):
        from_arguments({"watch_namespace_selector": text}, {})
