from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastingress.sources.cluster.splitting import LineSplitter, TooLong

LINES = st.lists(st.binary(max_size=30).map(lambda line: line.replace(b"\n", b"")), max_size=12)


@settings(deadline=None)
@given(lines=LINES, rest=st.binary(max_size=20), borders=st.lists(st.integers(0, 400), max_size=30))
def test_borders_of_chunks_do_not_matter(lines: list[bytes], rest: bytes, borders: list[int]) -> None:
    rest = rest.replace(b"\n", b"")
    data = b"".join(line + b"\n" for line in lines) + rest
    cuts = [0, *sorted(min(border, len(data)) for border in borders), len(data)]
    splitter = LineSplitter()
    found = [line for start, end in pairwise(cuts) for line in splitter.feed(data[start:end])]
    assert found == [line for line in lines if line]
    assert splitter.rest() == rest


def test_a_line_that_does_not_end_is_refused_before_it_fills_the_memory() -> None:
    splitter = LineSplitter(most=100)
    splitter.feed(b"x" * 60)
    with pytest.raises(TooLong):
        splitter.feed(b"x" * 60)


def test_what_was_kept_of_lines_that_ended_does_not_count() -> None:
    splitter = LineSplitter(most=100)
    for _ in range(10):
        assert splitter.feed(b"x" * 50) == []
        assert splitter.feed(b"\n") == [b"x" * 50]
