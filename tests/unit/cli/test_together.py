"""Options beside each other: contradictions are refused, and what has no effect is told."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest

import fastingress
from fastingress.config import Config, from_options, refuse_contradictions, without_effect
from fastingress.errors import ConfigError
from tests.unit.cli.commands import run

FREE = ["--bind", "127.0.0.1", "--http-port", "0", "--https-port", "0", "--admin-port", "0"]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"http_port": "off", "https_port": "off"}, "--http-port, --https-port: both are off"),
        ({"use_proxy_protocol": True}, "--use-proxy-protocol: --proxy-protocol-from has to say"),
        ({"h2c": True, "http_port": "off"}, "--h2c: .* --http-port, which is off"),
        ({"http3": True, "https_port": "off"}, "--http3: .* --https-port, which is off"),
        ({"http3": True, "ssl_protocols": "TLSv1.2"}, "--http3: .*TLSv1.3, which is not among --ssl-protocols TLSv1.2"),
        ({"http_port": 7001, "https_port": 7001}, "--https-port: port 7001 is that of --http-port$"),
        ({"http_port": 7001, "admin_port": 7001}, "--admin-port: port 7001 is that of --http-port$"),
        ({"admin_port": 8443, "bind": "127.0.0.1"}, "--admin-port: port 8443 is that of --https-port$"),
        ({"manifests": "x", "kubeconfig": "y"}, "--kubeconfig is for a cluster"),
        ({"manifests": "x", "context": "y"}, "--context is for a cluster"),
    ],
)
def test_what_contradicts_each_other_is_refused(options: dict[str, Any], says: str) -> None:
    config = from_options(options)
    with pytest.raises(ConfigError, match=f"^{says}"):
        refuse_contradictions(config)


@pytest.mark.parametrize(
    "options",
    [
        {"http_port": 0, "https_port": 0, "admin_port": 0},
        {"http_port": 7001, "admin_port": 7001, "bind": "127.0.0.2"},
        {"http_port": 7001, "https_port": "off", "admin_port": "off"},
    ],
)
def test_ports_that_can_all_be_had_are_no_contradiction(options: dict[str, Any]) -> None:
    refuse_contradictions(from_options(options))


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (["--http-port", "7001", "--https-port", "7001"], "--https-port: port 7001 is that of --http-port"),
        (["--http-port", "7001", "--tcp", "7001=a/b:1"], "--tcp 7001=a/b:1: port 7001 is that of --http-port"),
        (["--udp", "8443=a/b:1", "--http3"], "--udp 8443=a/b:1: port 8443 is that of --http3"),
        (["--tcp", "7001=a/b:1", "--tcp", "7001=a/c:1"], "--tcp 7001=a/c:1: port 7001 is that of --tcp 7001=a/b:1"),
    ],
)
@pytest.mark.parametrize("command", ["run", "check"])
def test_a_port_given_twice_is_told_with_both_flags_by_check_and_by_run(
    tmp_path: Path, command: str, flags: list[str], says: str
) -> None:
    done = run(command, "--manifests", str(tmp_path), *flags)
    assert (done.returncode, done.stderr) == (2, f"fastingress: {says}\n")


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"http3_advertise_port": 443}, "--http3-advertise-port has no effect without --http3"),
        ({"manifests": "x", "publish_events": False}, "--publish-events has no effect with --manifests"),
        ({"manifests": "x", "ingress_class_by_name": True}, "--ingress-class-by-name has no effect with --manifests"),
        (
            {"all_ingress_classes": True, "ingress_class_by_name": True},
            "--ingress-class-by-name has no effect with --all-ingress-classes",
        ),
        (
            {"all_ingress_classes": True, "watch_ingress_without_class": False},
            "--watch-ingress-without-class has no effect with --all-ingress-classes",
        ),
        (
            {"all_ingress_classes": True, "publish_service": "a/b"},
            "--publish-service has no effect while no status is written: see --update-status",
        ),
        (
            {"update_status": False, "publish_status_address": "192.0.2.1"},
            "--publish-status-address has no effect while no status is written: see --update-status",
        ),
        (
            {"publish_service": "a/b", "publish_status_address": "192.0.2.1"},
            "--publish-service has no effect beside --publish-status-address",
        ),
        (
            {"publish_service": "a/b", "publish_node_addresses": "internal"},
            "--publish-node-addresses has no effect beside --publish-service",
        ),
        ({"admin_port": "off", "admin_bind": "127.0.0.2"}, "--admin-bind has no effect with --admin-port off"),
        (
            {"proxy_protocol_from": "10.0.0.0/8", "tcp": "9000=a/b:1::PROXY"},
            "--proxy-protocol-from has no effect without --use-proxy-protocol or TCP services that take PROXY headers",
        ),
        ({"https_port": "off", "http2": False}, "--http2 has no effect with --https-port off"),
        ({"https_port": "off", "ssl_protocols": "TLSv1.2"}, "--ssl-protocols has no effect with --https-port off"),
        (
            {"https_port": "off", "default_ssl_certificate": "a/b"},
            "--default-ssl-certificate has no effect with --https-port off",
        ),
        (
            {"ssl_protocols": "TLSv1.3", "ssl_ciphers": "TLS_AES_128_GCM_SHA256,ECDHE-RSA-AES128-GCM-SHA256"},
            "--ssl-ciphers ECDHE-RSA-AES128-GCM-SHA256 has no effect without TLSv1.2 among --ssl-protocols",
        ),
        (
            {"ssl_protocols": "TLSv1.2", "ssl_ciphers": "TLS_AES_128_GCM_SHA256"},
            "--ssl-ciphers TLS_AES_128_GCM_SHA256 has no effect without TLSv1.3 among --ssl-protocols",
        ),
        (
            {"hsts": False, "hsts_preload": True},
            "--hsts-preload has no effect with --no-hsts, but for classes whose parameters turn hsts on",
        ),
        (
            {"ssl_session_tickets": False, "ssl_session_ticket_secret": "a/b"},
            "--ssl-session-ticket-secret has no effect with --no-ssl-session-tickets",
        ),
        (
            {"stream_timeout": "1m", "udp": "53=a/b:53"},
            "--stream-timeout has no effect without --tcp, --tcp-services-configmap or --enable-ssl-passthrough",
        ),
        (
            {"udp_timeout": "1s", "tcp": "9000=a/b:1"},
            "--udp-timeout has no effect without --udp or --udp-services-configmap",
        ),
    ],
)
def test_what_has_no_effect_is_told(options: dict[str, Any], says: str) -> None:
    assert without_effect(from_options(options))[:1] == [says]


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"manifests": "x"},
        {"http3": True, "http3_advertise_port": 443, "ssl_protocols": "TLSv1.3"},
        {"h2c": True, "https_port": "off"},
        {"all_ingress_classes": True, "update_status": True, "publish_service": "a/b"},
        {"use_proxy_protocol": True, "proxy_protocol_from": "10.0.0.0/8"},
        {"tcp": "9000=a/b:1:PROXY", "proxy_protocol_from": "10.0.0.0/8", "stream_timeout": "1m"},
        {"tcp_services_configmap": "a/b", "proxy_protocol_from": "10.0.0.0/8", "stream_timeout": "1m"},
        {"enable_ssl_passthrough": True, "stream_timeout": "1m"},
        {"udp": "53=a/b:53", "udp_timeout": "1s"},
        {"ssl_protocols": "TLSv1.2", "ssl_ciphers": "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"},
        {"ssl_session_ticket_secret": "a/b", "hsts_max_age": 1, "admin_bind": "127.0.0.2"},
    ],
)
def test_nothing_is_said_of_options_that_go_together(options: dict[str, Any]) -> None:
    config = from_options(options)
    refuse_contradictions(config)
    assert without_effect(config) == []


def test_no_rule_speaks_of_an_option_that_is_as_by_default() -> None:
    for options in ({"https_port": "off"}, {"hsts": False}, {"admin_port": "off"}, {"all_ingress_classes": True}):
        assert without_effect(from_options(options)) == []
    assert without_effect(Config()) == []


def test_a_run_says_it_in_its_log(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with (
        caplog.at_level(logging.WARNING, logger="fastingress"),
        fastingress.Gateway(tmp_path, http3_advertise_port=443),
    ):
        assert "--http3-advertise-port has no effect without --http3" in caplog.messages


def test_a_check_says_it_beside_its_answer(tmp_path: Path) -> None:
    done = run("check", str(tmp_path), "--udp-timeout", "1s")
    assert (done.returncode, done.stdout) == (0, "no problems\n")
    assert done.stderr == "fastingress: --udp-timeout has no effect without --udp or --udp-services-configmap\n"


@pytest.mark.parametrize("command", [["run", *FREE], ["check"], ["routes"], ["explain", "http://x/"]])
def test_every_command_refuses_a_contradiction_in_one_line(command: list[str], tmp_path: Path) -> None:
    done = run(*command, "--manifests", str(tmp_path), "--http3", "--https-port", "off")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("fastingress: --http3: ")
    assert done.stderr.count("\n") == 1
