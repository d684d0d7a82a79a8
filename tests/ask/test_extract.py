"""--extract: the first fenced code block, as CommonMark has it, byte for byte."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llamacli.ask.structured.extract import first_block, unfenced
from tests.support.fake_api import answer, document, text
from tests.support.world import World

#: Texts and the content of their first fenced code block, None without one.
BLOCKS: list[tuple[str, str | None]] = [
    ("```\na\n```", "a\n"),
    ("Sure:\n\n```python\nprint()\n```\nand\n```\nb\n```\n", "print()\n"),
    ("text\n```\na\n```", "a\n"),
    ("```c++\na\n```", "a\n"),
    ("``` objective-c  {.x}\na\n```", "a\n"),
    ("~~~\na\n~~~", "a\n"),
    ("~~~ a ` b\nx\n~~~", "x\n"),
    ("``` a ` b\nx\n```", None),
    ("``` a ` b\nx\n```\ny", None),
    ("Sure: ```python\nx=1\n```\nDone.", None),
    ("Sure: ~~~python\nx=1\n~~~\nDone.", None),
    ("Sure: ```python\nx=1\n```", None),
    ("Sure: ```x``` is\n```\ny", "y"),
    ("Sure: ```x\n~~~\ny", "y"),
    ("Sure: ```x\n``` py\ny", "y"),
    ("\ufeff```\na\n```", "a\n"),
    ("\ufeff\ufeffa\n```\na\n```", "a\n"),
    ("````\n```\na\n```\n````", "```\na\n```\n"),
    ("```\na\n~~~\n```", "a\n~~~\n"),
    ("```\na\n`````  \nb", "a\n"),
    ("```\na\n``` b\n```", "a\n``` b\n"),
    ("   ```\n   a\n     b\n c\n   ```", "a\n  b\nc\n"),
    ("    ```\n    a\n    ```", None),
    ("```\na\n    ```\n```", "a\n    ```\n"),
    ("``\na\n``", None),
    ("`inline ```code``` `", None),
    ("```\n\n\na\n\n```", "\n\na\n\n"),
    ("```\n```", ""),
    ("```\na", "a"),
    ("```\na\n", "a\n"),
    ("```", None),
    ("```py\n\n \n", None),
    ("```\n\n```", "\n"),
    ("1. Run\n   ```sh\n   ls\n     -l\n   ```\n2. Done", "ls\n  -l\n"),
    ("- a\n  - b\n\n    ```\n    x\n    ```", "x\n"),
    ("> ```\n> x\n> ```\ny", "x\n"),
    ("> ```\n> x\ny", "x\n"),
    ("<details>\n```\nx\n```\n</details>", "x\n"),
    ("```\r\na\r\n\r\nb\n```\r\n", "a\r\n\r\nb\n"),
    ("```\na\u2028b\x85c\x0cd\u3000\n```", "a\u2028b\x85c\x0cd\u3000\n"),
    ("```\n\ta\n```", "\ta\n"),
    ("\\```\na\n```\nb", None),
    ("\\```\na\n```\nb\n```", "b\n"),
    ("Sure: ```python\nc1\n```\nand then\n```\nc2\n```\n", None),
    ("Sure: ```python\nc1\n```\nand then\n```python\nc2\n```\n", None),
    ("Put it between ``` and ```, like:\n```\na\n```", "a\n"),
    ("Begin with ``` on a line:\n```\na\n```", "a\n"),
    ("", None),
    ("no block", None),
]


@pytest.mark.parametrize(("whole", "inside"), BLOCKS)
def test_the_first_block_is_that_of_commonmark(whole: str, inside: str | None) -> None:
    assert first_block(whole) == inside


@pytest.mark.parametrize(("whole", "inside"), [("```\na\n", None), ("```\na\n```", "a\n"), ("> ```\n> a\n\nb", "a\n")])
def test_a_block_that_is_open_counts_only_in_a_complete_answer(whole: str, inside: str | None) -> None:
    assert first_block(whole, is_complete=False) == inside


LINES = st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\r\n\0`~"), max_size=12), max_size=6)


@given(LINES, st.sampled_from("`~"), st.integers(3, 9), st.integers(0, 3), st.sampled_from(["", "c++", " py x=1"]))
def test_fenced_text_is_printed_byte_for_byte(lines: list[str], char: str, length: int, indent: int, tag: str) -> None:
    inside = "".join(line + "\n" for line in lines)
    fence = char * length
    other = "~~~" if char == "`" else "```"
    block = f"{fence}{tag}\n{inside}{other}\n{char * (length - 1)}\n{fence}\n"
    wanted = f"{inside}{other}\n{char * (length - 1)}\n"
    assert first_block(block) == wanted
    assert first_block(f"Words.\n\n{block}\n{block}") == wanted
    assert unfenced(block.rstrip()) == wanted.removesuffix("\n")
    # Lines lose as much indentation as the fence has, and no more.
    pad = " " * indent
    assert first_block("".join(f"{pad}{line}\n" for line in block.split("\n")[:-1])) == wanted


@given(st.text(st.sampled_from("`~ \n\r\t>-1.a\0"), max_size=60))
def test_no_text_causes_an_internal_error(whole: str) -> None:
    for is_complete in (True, False):
        found = first_block(whole, is_complete)
        assert found is None or len(found) <= len(whole) * 4
    unfenced(whole)


def test_extract_prints_the_content_once_and_nothing_else(world: World) -> None:
    world.api.will(text("Here:\n\n```c++\nint x;\n```\n\nBye."))
    for flag in ("-x", "--extract"):
        result = world.call("ask", flag, "Hi")
        assert (result.status, result.out, result.err) == (0, "int x;\n", "")
    assert world.api.body["stream"] is True
    assert "tools" not in world.api.body
    assert world.call("ask", "-x", "-0", "Hi").stdout == b"int x;\n\0"
    assert world.call("ask", "-x", "-o", "out.cpp", "Hi").out == ""
    assert (world.cwd / "out.cpp").read_text() == "int x;\n"
    assert json.loads(world.call("ask", "-x", "--json", "Hi").out)["choices"][0]["message"]["content"].startswith("He")


@pytest.mark.parametrize(
    ("said", "finish", "arguments", "status", "out"),
    [
        ("no block", "stop", [], 12, ""),
        ("```\na\n", "stop", [], 0, "a\n"),
        ("```\na\n", "length", [], 12, ""),
        ("```\na\n", "length", ["--allow-truncated"], 0, "a\n"),
        ("```\na\n```\nand", "length", [], 10, "a\n"),
        ("```\na\n```", "content_filter", [], 11, ""),
        ("no block", "stop", ["--json"], 12, None),
        ("```\n```", "stop", [], 0, ""),
        ("Sure: ```sh\nls\n```\nDone.", "stop", [], 12, ""),
        ("", "stop", [], 9, ""),
    ],
)
def test_no_block_is_12_and_nothing_on_stdout(
    world: World, said: str, finish: str, arguments: list[str], status: int, out: str | None
) -> None:
    (world.cwd / "old").write_text("old")
    for behavior in (text(said, finish=finish), answer(said, finish=finish)):
        world.api.will(behavior)
        result = world.call("ask", "-x", *arguments, "Hi")
        assert result.status == status, result.err
        assert out is None or result.out == out
        assert result.err.count("\n") == (1 if status else 0)
        if "--json" in arguments:
            assert json.loads(result.out)["choices"]
        if status == 12:
            assert "the answer contains no " in result.err
            assert world.call("ask", "-x", "-o", "old", "Hi").status == 12
            assert (world.cwd / "old").read_text() == "old"


def test_each_of_several_answers_is_extracted(world: World) -> None:
    document_of = [{"index": n, "finish_reason": "stop", "message": {"content": f"```\n{n}\n```"}} for n in range(2)]
    world.api.will(document({"choices": document_of}))
    assert world.call("ask", "-x", "-n", "2", "-0", "Hi").stdout == b"0\n\x001\n\0"
    document_of[1]["message"] = {"content": "none"}
    world.api.will(document({"choices": document_of}))
    result = world.call("ask", "-x", "-n", "2", "Hi")
    assert (result.status, result.out) == (12, "")
