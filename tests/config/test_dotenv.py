"""The .env format: hostile content is read quickly, and changes lose no line."""

from __future__ import annotations

import time
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llamacli import config

ASSIGNED = ["A=1", "export B='x y' # note", "E=a#b", "F='it\\'s'", 'D="two\nlines"']
NAMED = ["NAME=old", "export NAME = 'o#ld' # keep", "'NAME'=quoted", "NAME"]
LINES = st.sampled_from([*ASSIGNED, *NAMED, '# C="d"', "", "  ", '"x', "N AME=1"])
VALUES = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=20)


@settings(deadline=None)
@given(st.lists(LINES, max_size=6), VALUES)
def test_a_value_written_to_a_file_is_read_back_and_changes_no_other(lines: list[str], value: str) -> None:
    content = "\n".join(lines).encode()
    try:
        before = config.parse_env(content)
    except ValueError:
        with pytest.raises(ValueError, match="is not NAME=value"):
            config.with_value(content, "NAME", value)
        return
    made = config.with_value(content, "NAME", value)
    assert config.parse_env(made) == {**before, "NAME": value}
    assert [line for line in lines if line.startswith("#")] == [
        line for line in made.decode().splitlines() if line.startswith("#")
    ]


@pytest.mark.parametrize(
    "piece", [" ", "\n", "A=\n", "'", '"', "\\'", '\\"', " #", "=", "#\n", "A=x #y\n", "export ", "\r"]
)
@pytest.mark.parametrize("start", ["", "A=", "A=b", "A='", 'A="'])
def test_hostile_content_is_read_quickly(start: str, piece: str) -> None:
    text = start + piece * (65_000 // len(piece)) + "x"
    began = time.process_time()
    with suppress(ValueError):
        config.parse_env(text.encode())
    # Generous: without the limit on blanks it takes most of a minute.
    assert time.process_time() - began < 5


def test_a_long_run_of_blanks_is_refused() -> None:
    with pytest.raises(ValueError, match="line 2 has more than 1000 spaces in a row"):
        config.parse_env(b"A=1\nB=x" + b" " * 1001 + b"y\n")
    assert config.parse_env(b"B=x" + b" " * 999 + b"y\n")["B"].endswith("y")


def test_a_nul_byte_is_refused() -> None:
    with pytest.raises(ValueError, match="contains a NUL byte"):
        config.parse_env(b"LLAMACLI_USAGE_LOG='a\0b'\n")


def test_a_value_is_removed_and_nothing_else() -> None:
    content = b"# one\n\nexport A='x\ny' # two\nB=1\nA=2\n# three"
    assert config.without_value(content, "A") == b"# one\nB=1\n# three"
    assert config.without_value(content, "C") == content
