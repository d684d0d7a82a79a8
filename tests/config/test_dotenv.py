"""The format of .env files: read as python-dotenv reads it, in linear time; changed without losing a line."""

from __future__ import annotations

import time
from contextlib import suppress
from io import StringIO

import pytest
from dotenv.parser import parse_stream
from hypothesis import given, settings
from hypothesis import strategies as st

from llamacli.config import dotenv

ASSIGNED = ["A=1", "export B='x y' # note", "E=a#b", "F='it\\'s'", 'D="two\nlines"']
NAMED = ["NAME=old", "export NAME = 'o#ld' # keep", "'NAME'=quoted", "NAME"]
LINES = st.sampled_from([*ASSIGNED, *NAMED, '# C="d"', "", "  ", '"x', "N AME=1"])
VALUES = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=20)


@settings(deadline=None)
@given(st.lists(LINES, max_size=6), VALUES)
def test_a_value_that_is_put_into_a_file_comes_back_and_moves_no_other(lines: list[str], value: str) -> None:
    content = "\n".join(lines).encode()
    try:
        before = dotenv.values(content)
    except ValueError:
        with pytest.raises(ValueError, match="is not NAME=value"):
            dotenv.with_value(content, "NAME", value)
        return
    made = dotenv.with_value(content, "NAME", value)
    assert dotenv.values(made) == {**before, "NAME": value}
    assert [line for line in lines if line.startswith("#")] == [
        line for line in made.decode().splitlines() if line.startswith("#")
    ]


PIECES = ["A", "=", "'", '"', " ", "\n", "#", "\\", "export ", "\r\n", "b", "n", "\t", "x=1\n", "é", "$", "\r", "\\'"]


@settings(deadline=None, derandomize=True, max_examples=400)
@given(st.lists(st.sampled_from(PIECES), max_size=14).map("".join))
def test_a_file_is_read_as_python_dotenv_reads_it(text: str) -> None:
    bindings = list(parse_stream(StringIO(text)))
    if any(binding.error for binding in bindings) or any("export " in binding.original.string for binding in bindings):
        # Of `export #comment` python-dotenv makes a comment, and of `export =` an error.
        return
    expected = {binding.key: binding.value for binding in bindings if binding.key and binding.value is not None}
    assert dotenv.values(text.encode()) == expected


@pytest.mark.parametrize("text", ["export B=1", "\n export  'C' = x # y", "export", "export=1", "A=\n\nexport D='\n'"])
def test_export_is_ignored(text: str) -> None:
    assert dotenv.values(text.encode()) == dotenv.values(text.replace("export ", "").encode())


@pytest.mark.parametrize(
    "piece", [" ", "\n", "A=\n", "'", '"', "\\'", '\\"', " #", "=", "#\n", "A=x #y\n", "export ", "\r"]
)
@pytest.mark.parametrize("start", ["", "A=", "A=b", "A='", 'A="'])
def test_reading_takes_linear_time(start: str, piece: str) -> None:
    """A second is enough for a thousand times of what it takes: python-dotenv needs minutes for some of these."""
    text = start + piece * (65_000 // len(piece)) + "x"
    began = time.process_time()
    with suppress(ValueError):
        dotenv.values(text.encode())
    assert time.process_time() - began < 2


def test_a_value_is_taken_out_and_nothing_else() -> None:
    content = b"# one\n\nexport A='x\ny' # two\nB=1\nA=2\n# three"
    assert dotenv.without_value(content, "A") == b"# one\nB=1\n# three"
    assert dotenv.without_value(content, "C") == content
