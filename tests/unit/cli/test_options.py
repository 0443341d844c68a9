"""Options: kinds, precedence, names in errors, and the reference page."""

from __future__ import annotations

import re
from typing import Any

import pytest

from fastingress.config import FLAGS, Config, from_arguments, from_options, unknown_variables
from fastingress.config.reference import markdown
from fastingress.errors import ConfigError


@pytest.mark.parametrize(
    ("name", "written", "value"),
    [
        ("http_port", "off", None),
        ("http_port", "0", 0),
        ("workers", "1024", 1024),
        ("drain_timeout", "1500ms", 1.5),
        ("drain_timeout", "2m", 120.0),
        ("drain_timeout", "0", 0.0),
        ("drain_timeout", 7, 7.0),
        ("body_limit", "8m", 8 << 20),
        ("body_limit", "512K", 512 << 10),
        ("body_limit", "0", 0),
        ("bind", "127.0.0.1, ::1", ("127.0.0.1", "::1")),
        ("bind", ["127.0.0.1", "[::1]"], ("127.0.0.1", "::1")),
        ("trusted_proxies", "10.1.2.3/8,192.0.2.1", ("10.0.0.0/8", "192.0.2.1/32")),
        ("ssl_ciphers", "A:B,C", ("A", "B", "C")),
        ("manifests", "a:b", ("a", "b")),
        ("manifests", ["a,b"], ("a,b",)),
        ("metrics_per_ingress", "no", False),
        ("watch_ingress_without_class", "true", True),
        ("default_ssl_certificate", "default/tls", "default/tls"),
        ("default_backend_service", "default/web", "default/web"),
    ],
)
def test_values_as_they_are_written(name: str, written: Any, value: Any) -> None:
    assert getattr(from_options({name: written}), name) == value


def test_a_flag_beats_the_variable_which_beats_the_default() -> None:
    environment = {"FASTINGRESS_HTTP_PORT": "81", "FASTINGRESS_ADMIN_PORT": "82"}
    config = from_arguments({"http_port": "80"}, environment)
    assert (config.http_port, config.admin_port, config.https_port) == (80, 82, 8443)


def test_what_kubernetes_sets_for_a_service_of_that_name_is_no_option() -> None:
    environment = {
        "FASTINGRESS_PORT": "tcp://10.0.0.1:80",
        "FASTINGRESS_HTTP_PORT": "tcp://10.0.0.1:80",
        "FASTINGRESS_SERVICE_HOST": "10.0.0.1",
        "FASTINGRESS_PORT_80_TCP_ADDR": "10.0.0.1",
    }
    assert from_arguments({}, environment) == Config()
    assert unknown_variables(environment) == []


def test_a_misspelt_variable_is_told_with_what_was_meant() -> None:
    assert unknown_variables({"FASTINGRESS_HTTP_PROT": "1", "PATH": "x"}) == [
        "FASTINGRESS_HTTP_PROT: there is no such option; did you mean FASTINGRESS_HTTP_PORT?"
    ]


def test_errors_name_the_argument() -> None:
    with pytest.raises(ConfigError, match=r"^http_port: 'x' is not a port"):
        from_options({"http_port": "x"})
    with pytest.raises(TypeError, match=r"'http_prot' is not an option; did you mean http_port\?"):
        from_options({"http_prot": 1})


def test_every_default_passes_its_own_kind() -> None:
    for flag in FLAGS.values():
        assert flag.kind.parse(flag.default) == flag.default


def test_the_reference_page_has_every_option() -> None:
    page = markdown()
    for flag in FLAGS.values():
        assert len(re.findall(rf"\| `{flag.option}[ `]", page)) == 1
        assert page.count(f"`{flag.variable}`") == 1


def test_the_reference_page_has_each_heading_once() -> None:
    headings = re.findall(r"^## (.*)$", markdown(), re.MULTILINE)
    assert sorted(headings) == sorted({flag.group for flag in FLAGS.values()})
