from __future__ import annotations

import json

from fastingress.sources.cluster.answers import error_of


def test_a_status_gives_all_that_an_error_says() -> None:
    causes = [
        {"reason": "FieldManagerConflict", "message": 'conflict with "traefik"', "field": ".status"},
        {"reason": "FieldValueInvalid", "message": "no"},
    ]
    body = {"reason": "Conflict", "message": "there was a conflict", "details": {"causes": causes}}
    error = error_of("PATCH", "/a", 409, {}, json.dumps(body).encode())
    assert (error.status, error.reason, error.message) == (409, "Conflict", "there was a conflict")
    assert error.conflicts == ('conflict with "traefik"',)
    assert str(error) == "PATCH /a: 409: there was a conflict"


def test_a_page_of_a_proxy_is_quoted_on_one_short_line() -> None:
    error = error_of("GET", "/a", 502, {}, b"<html>\n  <h1>Bad Gateway</h1>\n" + b"x" * 10_000)
    assert "\n" not in str(error)
    assert "<h1>Bad Gateway</h1>" in error.message
    assert len(error.message) < 300


def test_bytes_that_are_no_text_and_nulls_do_not_matter() -> None:
    assert error_of("GET", "/a", 500, {}, b"\xff\xfe").status == 500
    assert error_of("GET", "/a", 500, {}, b'{"message":null,"reason":null,"details":null}').message == ""
    assert error_of("GET", "/a", 500, {}, b'{"details":{"causes":null}}').conflicts == ()


def test_the_wait_that_is_asked_for_is_taken_from_either_place_and_bounded() -> None:
    assert error_of("GET", "/a", 429, {"Retry-After": "3"}, b"").retry_after == 3
    assert error_of("GET", "/a", 504, {}, b'{"details":{"retryAfterSeconds":2}}').retry_after == 2
    assert error_of("GET", "/a", 429, {"Retry-After": "86400"}, b"").retry_after == 60
    assert error_of("GET", "/a", 429, {"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT"}, b"").retry_after is None


def test_an_error_in_a_stream_has_its_status_in_the_body() -> None:
    assert error_of("GET", "/a", 0, {}, b'{"code":410}').status == 410
    assert error_of("GET", "/a", 0, {}, b"17").status == 500
