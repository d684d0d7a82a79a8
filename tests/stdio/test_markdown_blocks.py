# ruff: noqa: E501 (a row is one line)
"""How each kind of Markdown is shown, at a cost that grows no faster than its length."""

import os
import re
import sys
from collections.abc import Callable
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llamacli.stdio.markdown.live import LiveMarkdown
from llamacli.stdio.markdown.renderer import Renderer
from llamacli.stdio.output import Output
from tests.stdio.test_markdown import Screen
from tests.support.fake_api import text
from tests.support.world import World

STYLE = re.compile("\x1b\\[[0-9;]*m")


def render(source: str, columns: int, color: bool) -> str:
    renderer = Renderer(columns, color)
    lines = [line for text in source.removesuffix("\n").split("\n") for line in renderer.feed(text)]
    return "".join(f"{line}\n" for line in lines + renderer.finish())


def plain(source: str, columns: int = 40) -> str:
    return STYLE.sub("", render(source, columns, color=True))


CODE = "def f(x):\n\treturn x   # tab, and a line that is a good deal longer than forty columns of text\n\n\n    '\\n'"

#: Name, source, what is shown in 40 columns.
SHOWN = {
    "code": (f"```python\n{CODE}\n```", f"{CODE}\n"),
    "code without a language": (f"~~~\n{CODE}\n~~~", f"{CODE}\n"),
    "code in an item": ("1. Do\n   ```sh\n   if a; then\n   \tb\n   fi\n   ```\n2. That", " 1. Do\n\nif a; then\n\tb\nfi\n\n 2. That\n"),
    "empty lines of code in an item": ("- a\n  ```\n  b\n\n    c\n  ```\n- d", " • a\n\nb\n\n  c\n\n • d\n"),
    "code that is not indented like its item": ("- a\n  ```\nb\n  c\n```\n- d", " • a\n\nb\nc\n\n • d\n"),
    "code in a quote": ("> ```\n> a  b\n> ```\n", "a  b\n"),
    "code that never ends": ("```\na\n  b", "a\n  b\n"),
    "fences in longer fences": ("````\n```\na\n```\n````", "```\na\n```\n"),
    "inline math": (r"So \(a_1\{x\}\) and $b_1 * c_2$ and \\ \{ \, here", "So \\(a_1\\{x\\}\\) and $b_1 * c_2$ and \\\\\n\\{ \\, here\n"),
    "money": ("It is $5 or *maybe* $10.", "It is $5 or maybe $10.\n"),
    "display math": ("$$\na_1 &= b \\\\\n  c_1\n$$\nend", "$$\na_1 &= b \\\\\n  c_1\n$$\n\nend\n"),
    "bracketed math": ("\\[\n\\frac{a_1}{b_1} \\\\\n\\]", "\\[\n\\frac{a_1}{b_1} \\\\\n\\]\n"),
    "an environment": ("\\begin{align}\na &= b \\\\\n\\end{align}", "\\begin{align}\na &= b \\\\\n\\end{align}\n"),
    "math on one line": ("\\[ x*y*z \\]", "\\[ x*y*z \\]\n"),
    "math that never ends": ("$$ a\n\n*b*", "$$ a\n\nb\n"),
    "emphasis": ("**a** *b* __c__ _d_ ***e*** ~~f~~ g_h_i 2*3*4", "a b c d e f g_h_i 234\n"),
    "no emphasis": ("2 * 3 * 4, snake_case_name, ~5, **open", "2 * 3 * 4, snake_case_name, ~5, **open\n"),
    "escapes": (r"\*a\* \_b\_ \`c\` \| \# \$", "*a* _b_ `c` | \\# \\$\n"),
    "inline code": ("`a  *b*` and ``c ` d``", "a  *b* and c ` d\n"),
    "links": ("[a](http://b) <http://c> [http://d](http://d) [e](f \"g\")", 'a (http://b) http://c http://d e (f "g")\n'),
    "an image": ("![a](b)", "![a](b)\n"),
    "html": ("<b>a</b> &amp;", "<b>a</b> &amp;\n"),
    "headings": ("# A #\ntext\n## B\n\nC\n===", "A\n\ntext\n\nB\n\nC\n"),
    "a rule": ("a\n\n---\nb", "a\n\n" + "─" * 40 + "\n\nb\n"),
    "lists": ("- a\n- b\n  - c\n\n    d\n1) e\n   f", " • a\n • b\n    • c\n\n      d\n 1) e f\n"),
    "a list in an ordered one": ("1. a\n  - b\n2. c", " 1. a\n     • b\n 2. c\n"),
    "an empty item": ("- \n- b", " •\n • b\n"),
    "a task": ("- [x] a", " • [x] a\n"),
    "quotes": ("> a\nb\n> > c\n\nd", "▌ a b\n▌ ▌ c\n\nd\n"),
    "a hard break": ("a  \nb\\\nc\nd", "a\nb\nc d\n"),
    "a table": ("x\n| a | b |\n|---|--:|\n| c \\| d | 1 |\n| e |\nf", "x\n\na     │ b\n──────┼──\nc | d │ 1\ne     │\n\nf\n"),
    "a table that is too wide": ("|a|b|\n|-|-|\n|" + "c " * 30 + "|" + "d" * 30, None),
    "words that fit": ("日本語 " * 9, "日本語 日本語 日本語 日本語 日本語\n日本語 日本語 日本語 日本語\n"),
    "a long word": ("x" * 50, "x" * 40 + "\n" + "x" * 10 + "\n"),
}  # fmt: skip


@pytest.mark.parametrize("name", SHOWN)
def test_each_kind_is_shown(name: str) -> None:
    source, expected = SHOWN[name]
    shown = plain(source)
    if expected is not None:
        assert shown == expected
    else:
        assert max(map(len, shown.splitlines())) <= 40
        assert sorted(filter(str.isalnum, shown)) == sorted(filter(str.isalnum, source))


@pytest.mark.parametrize("name", SHOWN)
@pytest.mark.parametrize("step", [1, 3])
def test_it_looks_the_same_however_it_arrives(name: str, step: int, monkeypatch: pytest.MonkeyPatch) -> None:
    source, screen = SHOWN[name][0].replace("\n", "\r\n"), Screen(24)
    monkeypatch.setattr("os.get_terminal_size", lambda *_: (40, 24))
    with LiveMarkdown(cast(Output, screen), color=True) as page:
        for start in range(0, len(source), step):
            page.write(source[start : start + step])
    assert "\n".join(screen.lines) == plain(SHOWN[name][0])


WORDS = ["word", "**bold words here**", "*it*", "`code  x`", "[link text](http://a.b/c)", r"\(x_1 + y\)", "$a_1 * b$"]
WORDS += ["\u65e5\u672c\u8a9e", "\U0001f600", "a_b_c", r"\*", "~~s~~", "x" * 30, "**a *b* c**", "`a | b`", "\n", "  \n"]
BLOCKS = ["{}", "- {}", "> {}", "# {}", "| a | b |\n|---|---|\n| {} | x |"]


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(BLOCKS), st.lists(st.sampled_from(WORDS), min_size=1, max_size=40)), max_size=4),
    st.integers(1, 6),
    st.sampled_from([20, 40, 80]),
)
def test_a_long_text_looks_the_same_however_it_arrives(
    blocks: list[tuple[str, list[str]]], step: int, columns: int
) -> None:
    texts = [block.format(" ".join(words).replace(" \n ", "\n")) for block, words in blocks]
    texts = [re.sub("\\s*\n\\s*", " ", text) if text[0] == "#" else text for text in texts]
    source, screen = "\n\n".join(texts), Screen(50)
    sized, os.get_terminal_size = os.get_terminal_size, lambda *_: os.terminal_size((columns, 50))
    try:
        with LiveMarkdown(cast(Output, screen), color=True) as page:
            for start in range(0, len(source), step):
                page.write(source[start : start + step])
    finally:
        os.get_terminal_size = sized
    assert "\n".join(screen.lines).strip() == plain(source, columns).strip()


def test_code_keeps_its_colors_from_line_to_line() -> None:
    code = 'x = """a\ndef\n"""\ndef f(): # c'
    lines = render(f"```python\n{code}\n```", 80, color=True).splitlines()
    assert "\x1b[32mdef\x1b[0m" in lines[1]
    assert "\x1b[34mdef\x1b[0m" in lines[3]
    assert STYLE.sub("", "\n".join(lines)) == code
    assert "\x1b[3" not in render(f"```python\n{code}\n```", 80, color=False)
    assert render(f"```nonsense\n{code}\n```", 80, color=True) == code + "\n"


@pytest.mark.parametrize(
    ("line", "shown"), [("# a #", "a"), ("## a#", "a#"), ("# #", ""), ("# a ## \t", "a"), ("#\ta", "a")]
)
def test_signs_that_end_a_heading_are_not_part_of_it(line: str, shown: str) -> None:
    assert re.sub("\x1b\\[[0-9;]*m", "", render(line, 80, color=False)) == f"{shown}\n"


@pytest.mark.parametrize("line", ["# x" + " " * 200_000 + "x", "a | b\n-" + " " * 200_000 + "x"])
def test_a_long_line_takes_no_longer_than_its_length(line: str) -> None:
    """Without that, each takes hours: the patterns backtrack."""
    assert render(line, 80, color=False)


def many(line: str, size: int) -> str:
    return "".join(line.replace("#", str(number)) for number in range(size // len(line)))


LONG: dict[str, Callable[[int], str]] = {
    "code": lambda size: "```python\n" + many("    value# = compute(item#, 'some text')  # comment\n", size) + "```\n",
    "a long string": lambda size: '```python\n"""\n' + many("    value# = compute(item#)\n", size) + '"""\n```\n',
    "a list": lambda size: many("#. item # of a list with **bold** and `code` in it\n", size),
    "a loose list": lambda size: many("- item # of a list with **bold** and `code` in it\n\n", size),
    "a table": lambda size: "| a | b |\n|---|---|\n" + many("| row # | some **cell** # |\n", size),
    "a paragraph": lambda size: many("word# **bold #** ", size),
    "lines": lambda size: many("word# **bold #**\n", size),
    "a quote": lambda size: many("> word# **bold #**\n", size),
    "math": lambda size: "$$\n" + many("a_1 + b_2 \\\\\n", size) + "$$",
    "stars": lambda size: "a*b_" * (size // 4),
    "backticks": lambda size: "`a``b " * (size // 6),
    "a long row": lambda size: "| a | b |\n|---|---|\n| " + many("word# **bold #** ", size),
    "a long row of cells": lambda size: "| a | b |\n|---|---|\n| " + many("word# | ", size),
    "more columns than fit": lambda size: f"{'|a' * 90}|\n{'|-' * 90}|\n" + many(f"{'|b' * 90}|\n", size),
    "a long line of code": lambda size: "```python\n" + many("print('item #'); ", size),
    "an indented line": lambda size: "    " + many("print('item #'); ", size),
    "a line of math": lambda size: "$$ " + many("a_# + b_# ", size),
    "inline math": lambda size: many(r"\(a_# * b\) and $c_#$ ", size),
    "headings": lambda size: many("## Heading # with **bold** words\n\n", size),
    "nested items": lambda size: many("- item #\n  - item\n    - `item`\n", size),
    "links": lambda size: many("[link #](http://example.com/#) and ", size),
    "all at once": lambda size: many("`c#` **b** [l](u) *i* ", size),
    "emphasis that never ends": lambda size: many("*a _b **c# ", size),
    "long emphasis": lambda size: many("**" + "word# " * 60 + "end** ", size),
    "html": lambda size: many("<div class='c#'><b>text</b></div>", size),
    "no spaces": lambda size: "abcdefghij" * (size // 10),
    "no spaces, with marks": lambda size: "abc*def_ghi" * (size // 11),
    "brackets": lambda size: "[" * size,
    "quote marks": lambda size: ">" * size,
    "wide characters": lambda size: "\u65e5\u672c\u8a9e\u3002" * (size // 4),
    "emoji": lambda size: "\U0001f468\u200d\U0001f469\u200d\U0001f467 " * (size // 6),
}  # fmt: skip


#: Calls for a piece of four characters.
MAX_CALLS = 3000


NARROW = ["a table", "nested items", "all at once", "no spaces", "wide characters"]


@pytest.mark.parametrize(("name", "columns"), [*((name, 80) for name in LONG), *((name, 20) for name in NARROW)])
def test_the_cost_grows_with_the_length_and_no_faster(name: str, columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Counts calls, which a busy machine does not change."""
    monkeypatch.setattr("os.get_terminal_size", lambda *_: (columns, 24))
    counts = []
    for size in (3_000, 6_000):
        count = 0

        def profile(*event: Any) -> None:
            nonlocal count
            count += 1

        source = LONG[name](size)
        answer = [source[start : start + 4] for start in range(0, len(source), 4)]
        with LiveMarkdown(cast(Output, Nowhere()), color=True) as page:
            sys.setprofile(profile)
            for piece in answer:
                page.write(piece)
            sys.setprofile(None)
        counts.append(count)
    assert counts[1] <= 2.2 * counts[0]
    assert counts[1] <= MAX_CALLS * len(answer)


class Nowhere:
    """Stands in for the Output of a terminal."""

    fd = -1
    is_terminal = True

    def draw(self, text: str) -> None: ...


def test_a_pager_gets_it_too(world: World) -> None:
    world.api.will(text("# One\n\n**two** `three`\n"))
    shown = world.call("ask", "Hi", LLAMACLI_MARKDOWN="always").out
    assert shown == "\x1b[1;4mOne\x1b[0m\n\n\x1b[1mtwo\x1b[0m \x1b[36mthree\x1b[0m\n"
    assert "\x1b[36m" not in world.call("ask", "Hi", LLAMACLI_MARKDOWN="always", NO_COLOR="1").out
    for arguments in (["--no-markdown"], ["-o", "out"], ["--json"]):
        assert "\x1b" not in world.call("ask", *arguments, "Hi", LLAMACLI_MARKDOWN="always").out
    assert (world.cwd / "out").read_text() == "# One\n\n**two** `three`\n"
    assert world.call("ask", "Hi", LLAMACLI_MARKDOWN="sometimes").status == 2
