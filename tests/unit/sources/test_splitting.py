"""Documents of a file, by the lines between them."""

from __future__ import annotations

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from fastingress.sources.manifests.splitting import split


def test_documents_begin_at_their_first_line_of_content() -> None:
    text = "# heading\n---\n# about a\na: 1\n---\n\n---   # nothing\n...\n--- {b: 2}\n---\nc: |\n  ---\n  x\n"
    assert [tuple(chunk) for chunk in split(text)] == [
        ("a: 1\n", 4),
        ("--- {b: 2}\n", 9),
        ("c: |\n  ---\n  x\n", 11),
    ]


def test_a_file_may_have_no_documents() -> None:
    for text in ("", "\n\n", "# only words", "---", "---\n", "---\n---\n# end\n...\n", "%YAML 1.2\n---\n"):
        assert list(split(text)) == []


def test_line_ends_of_windows() -> None:
    assert [tuple(chunk) for chunk in split("---\r\na: 1\r\n---\r\nb: 2\r\n")] == [("a: 1\r\n", 2), ("b: 2\r\n", 4)]


def test_directives_are_passed_over() -> None:
    assert [tuple(chunk) for chunk in split("%YAML 1.2\n---\na: 1\n...\n%YAML 1.1\n---\nb: 2")] == [
        ("a: 1\n", 3),
        ("b: 2", 7),
    ]


def test_what_only_looks_like_a_separator_is_content() -> None:
    (chunk,) = split("a: |\n  --- x\n ---\nb: ----\n---x: 1\n")
    assert chunk.line == 1


LINES = st.sampled_from(
    [
        "---",
        "--- # c",
        "...",
        "a: 1",
        "b: [x,",
        " y]",
        "# c",
        "",
        "c: |",
        "  ---",
        "  text",
        "'q",
        " q'",
        "---#x",
        "---\r",
    ]
)


@settings(max_examples=500, deadline=None)
@given(st.lists(LINES, max_size=12))
def test_the_documents_are_those_that_a_parser_finds(lines: list[str]) -> None:
    text = "\n".join(lines) + "\n"
    try:
        expected = [document for document in yaml.safe_load_all(text) if document is not None]
    except yaml.YAMLError:
        return
    found = [yaml.safe_load(chunk.text) for chunk in split(text)]
    assert [document for document in found if document is not None] == expected
    for chunk in split(text):
        assert chunk.text.splitlines()[0] == text.splitlines()[chunk.line - 1]
