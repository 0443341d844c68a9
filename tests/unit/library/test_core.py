"""The binding: what it refuses, and what it survives."""

from __future__ import annotations

import subprocess
import sys
import textwrap
import threading

import msgspec
import pytest

from fastingress import _core
from fastingress.model import decode_report, encode_change_set
from fastingress.publish import Published, publish


def test_an_empty_table_answers_nothing() -> None:
    table = _core.Table()
    assert table.digest() == "0" * 32
    assert table.lookup("shop.example.com", "/") == b"null"
    assert table.routes() == b"[]"
    assert msgspec.json.decode(table.explain("shop.example.com", "/"))["winner"] is None
    assert msgspec.msgpack.decode(table.verify_certificates()) == []


@pytest.mark.parametrize("garbage", [b"", b"\xff", b"{}", msgspec.msgpack.encode({"version": 999})])
def test_an_envelope_that_cannot_be_read_is_a_value_error_and_changes_nothing(garbage: bytes) -> None:
    table = _core.Table()
    with pytest.raises(ValueError, match=r"."):
        table.apply(garbage)
    assert decode_report(table.apply(encode_change_set({}, (), False))).digest == "0" * 32


def test_one_bad_entry_is_a_problem_of_its_scope_and_both_sides_agree_on_the_digest() -> None:
    published = Published()
    table = _core.Table()
    outcome = publish(table, published, {("fragment", "a/1"): b"garbage", ("endpoints", "default/a:80"): b"\x80"})
    assert outcome.report is not None
    assert [scope for scope, problems in outcome.report.problems if problems] == ["fragment:a/1"]
    assert published.digest() == table.digest() == outcome.report.digest
    assert not outcome.diverged

    outcome = publish(table, published, {("fragment", "a/1"): None, ("endpoints", "default/a:80"): None})
    assert outcome.report is not None
    assert table.digest() == "0" * 32


def test_a_refused_path_is_a_value_error() -> None:
    with pytest.raises(ValueError, match="refused"):
        _core.Table().lookup("shop.example.com", "/%00")


def test_options_that_make_no_sense_are_a_value_error() -> None:
    for options in (
        b"",
        msgspec.msgpack.encode({"no_such_option": 1}),
        msgspec.msgpack.encode({"bind": ["everywhere"]}),
    ):
        with pytest.raises(ValueError, match=r"."):
            _core.Gateway(options)


def test_watching_what_is_no_descriptor_is_an_os_error() -> None:
    with pytest.raises(OSError, match="watch_signals"):
        _core.watch_signals(-1)


def test_many_threads_may_use_one_table() -> None:
    table = _core.Table()
    failures: list[Exception] = []

    def work(number: int) -> None:
        try:
            for turn in range(50):
                table.apply(encode_change_set({("endpoints", f"default/{number}:{turn}"): b"\x80"}, (), False))
                table.routes()
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    removals = [("endpoints", f"default/{number}:{turn}") for number in range(4) for turn in range(50)]
    table.apply(encode_change_set({}, removals, False))
    assert table.digest() == "0" * 32


def test_use_after_fork_is_refused_and_the_child_ends() -> None:
    program = """
        import os, sys
        import msgspec
        from fastingress import _core
        options = {"http_port": 0, "https_port": 0, "admin_port": 0, "bind": ["127.0.0.1"], "workers": 1}
        gateway = _core.Gateway(msgspec.msgpack.encode(options | {"access_log": "off"}))
        table = _core.Table()
        gateway.serve()
        child = os.fork()
        if child == 0:
            for use in (gateway.digest, gateway.stop, gateway.addresses, table.digest, table.routes):
                try:
                    use()
                except RuntimeError as error:
                    assert "after a fork" in str(error), error
                else:
                    os._exit(3)
            sys.exit(0)
        _, status = os.waitpid(child, 0)
        gateway.stop()
        print(os.waitstatus_to_exitcode(status))
    """
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", textwrap.dedent(program)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("0\n", "")


def test_importing_the_package_loads_nothing_else() -> None:
    program = "import sys, fastingress; print([name for name in sys.modules if name.startswith('fastingress')])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "['fastingress']\n"


def test_all_that_is_promised_is_there() -> None:
    import fastingress

    for name in fastingress.__all__:
        assert getattr(fastingress, name) is not None
    assert set(fastingress.__all__) <= set(dir(fastingress))
    with pytest.raises(AttributeError, match="no_such"):
        _ = fastingress.no_such
