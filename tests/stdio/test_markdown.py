"""--markdown: rendered on a terminal as it arrives; no word is lost on any size of screen."""

import os
import re
import shutil
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from typing import Any, cast

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from llamacli.stdio.markdown.live import LiveMarkdown
from llamacli.stdio.output import Output
from llamacli.stdio.text import width
from tests.support.fake_api import delta, event, pieces, stream, streamed, text
from tests.support.terminal import Terminal
from tests.support.world import PROGRAM, World

SMALL = """# A heading of some words

A paragraph with **bold**, *emphasis*, `inline code`, a [link](https://example.com/path?q=1), <b>html</b>, an image
![alternative](http://img.example/x.png) and an entity &amp;amp; more.

Setext heading
--------------

9. ninth item
10. tenth item
    - nested bullet

      ```python
      def nested(): return "in a list"
      ```
11. last

| Name | Value | Column |
|---|:-:|--:|
| alpha | 1 | supercalifragilisticexpialidocious |
| beta | two words | right |

> quoted text
> over lines

```c++
int main() { return 0; } // a line of code that is too long for forty columns and perhaps for eighty columns as well
```

<details>
hidden words
</details>

[reference]: http://reference.example/definition

日本語の文章。 Last words.
"""


def long_answer() -> str:
    """Returns an answer whose blocks are longer than a screen, with unique words."""
    code = "".join(f"code{n} = {n}  # comment{n}\n" for n in range(60))
    items = "".join(f"{n}. item{n} of the list\n" for n in range(1, 60))
    rows = "".join(f"| row{n} | cell{n} |\n" for n in range(60))
    words = " ".join(f"word{n}" for n in range(700))
    return (
        f"{SMALL}\n```python\n{code}```\n\n{items}\n{words} **strong end**\n\n| k | v |\n|---|---|\n{rows}\nThe end.\n"
    )


def words_of(answer: str) -> list[str]:
    return re.findall(r"\w+", re.sub(r"```\S*", "", answer))


@pytest.fixture
def tmux(world: World) -> Iterator[Any]:
    """Runs tmux commands on the test's own server."""
    if shutil.which("tmux") is None:
        pytest.skip("tmux is not installed")
    environ = {**world.env, "TERM": "xterm-256color", "LC_ALL": "C.UTF-8"}

    def run(*words: str) -> str:
        command = ["tmux", "-u", "-f", "/dev/null", "-S", str(world.home / "tmux"), *words]
        done = subprocess.run(command, env=environ, capture_output=True, cwd=world.cwd, check=False)
        return done.stdout.decode()

    yield run
    run("kill-server")


def watched(tmux: Any, world: World, columns: int, rows: int, sizes: list[tuple[int, int]]) -> str:
    """Runs the program in tmux, resizing it as it writes, and returns all that was shown, wrapped lines joined."""
    tmux("new-session", "-d", "-s", "first", "cat")
    tmux("set-option", "-g", "history-limit", "100000")
    script = f"{' '.join(PROGRAM)} ask -I --markdown Hi; echo status $?.; cat"
    size = ("-x", str(columns), "-y", str(rows))
    tmux("new-session", "-d", "-s", "seen", *size, f"sh -c '{script}'")
    for number, (wide, high) in enumerate(sizes):
        wait_for(tmux, f"word{100 + 150 * number}")
        tmux("resize-window", "-t", "seen", "-x", str(wide), "-y", str(high))
    wait_for(tmux, "status 0.")
    return str(tmux("capture-pane", "-p", "-J", "-t", "seen", "-S", "-"))


def wait_for(tmux: Any, text: str) -> None:
    end = time.monotonic() + 40
    while text not in tmux("capture-pane", "-p", "-t", "seen", "-S", "-"):
        assert time.monotonic() < end, f"{text} never came"
        time.sleep(0.05)


@pytest.mark.parametrize(("columns", "rows"), [(40, 24), (80, 24), (200, 50)])
def test_no_word_is_lost_in_a_real_terminal(world: World, tmux: Any, columns: int, rows: int) -> None:
    answer = long_answer()
    world.api.will(stream([event(delta(piece)) for piece in pieces(answer)] + [event(delta(finish="stop"))]))
    shown = watched(tmux, world, columns, rows, [])
    flat = re.sub(r"[\W_]+", "", shown)
    assert not [word for word in words_of(answer) if word.replace("_", "") not in flat]
    # In their order, and nothing twice: no block of this answer changes once it is longer than the screen.
    for noun, count in [("code", 60), ("comment", 60), ("item", 59), ("word", 700), ("row", 60), ("cell", 60)]:
        found = re.findall(rf"\b{noun}(\d+)\b", shown)
        assert len(found) == count
        assert all(int(one) < int(other) for one, other in pairwise(found))
    assert "**" not in shown
    assert "```" not in shown
    # A table stays a table, however narrow.
    assert "|---|" not in shown


def test_no_word_is_lost_when_the_terminal_is_resized(world: World, tmux: Any) -> None:
    answer = "# Start\n\n" + " ".join(f"word{n}" for n in range(700)) + "\n\n- and\n- a list\n\nThe end.\n"
    world.api.will(stream([event(delta(p)) for p in pieces(answer)] + [event(delta(finish="stop"))], pause=0.003))
    shown = watched(tmux, world, 80, 24, [(50, 24), (120, 12), (40, 30)])
    assert not [word for word in words_of(answer) if not re.search(rf"\b{word}\b", shown)]


class Screen:
    """A terminal that keeps what has scrolled away. Stands in for an Output."""

    fd = -1
    is_terminal = True

    def __init__(self, rows: int) -> None:
        self.rows = rows
        self.lines: list[str] = [""]
        self.at = 0

    def draw(self, data: str) -> None:
        for token in re.findall(r"\x1b\[[?\d;]*[A-Za-z]|\n|[^\x1b\n]+", data):
            if token == "\n":
                self.at += 1
                if self.at == len(self.lines):
                    self.lines.append("")
            elif re.fullmatch(r"\x1b\[\d+A", token):
                # The cursor cannot move above the screen's first line.
                self.at = max(self.at - int(token[2:-1]), len(self.lines) - self.rows, 0)
            elif token == "\x1b[2K":
                self.lines[self.at] = ""
            elif token == "\x1b[J":
                self.lines[self.at :] = [""]
            elif token[0] != "\x1b":
                self.lines[self.at] += token
            else:
                assert re.fullmatch(r"\x1b\[([\d;]*m|\?2026[hl])", token)


def letters(shown: str) -> Counter[str]:
    return Counter(char for char in shown if char.isalnum())


MARKS = [
    "\n",
    "\n\n",
    "- ",
    "1. ",
    "10) ",
    "> ",
    "```\n",
    "~~~",
    "**",
    "`",
    "| a | b |\n|---|---|\n",
    "|",
    "# ",
    "    ",
]
MORE = [
    "[a](http://b)",
    "![c](d)",
    "<b>",
    "***\n",
    "===\n",
    "[e]: /f\n",
    "&#27;",
    "\\",
    "日本",
    "a\u0301",
    "\t",
    "\r\n",
]


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.sampled_from(MARKS + MORE) | st.from_regex(r"\A[a-z]{1,9} ?\Z"), max_size=60),
    st.integers(4, 60),
    st.integers(2, 12),
    st.integers(1, 30),
)
@example(["| a | b |\n|---|---|\n"] + ["| c | d |\n"] * 30, 20, 5, 3)
@example(["| a | b |\n|---|---|\n", "| c | d | e |\n"], 20, 5, 3)
@example(["> "] * 40 + ["deep"], 30, 5, 1)
@example(["- "] * 40 + ["deep"], 30, 5, 1)
def test_no_letter_is_lost_whatever_the_text_and_the_screen(
    parts: list[str], columns: int, rows: int, step: int
) -> None:
    answer = "".join(parts)
    screen = Screen(rows)
    page = LiveMarkdown(cast(Output, screen), color=True)
    sized, os.get_terminal_size = os.get_terminal_size, lambda *_: os.terminal_size((columns, rows))
    try:
        with page:
            for start in range(0, len(answer), step):
                page.write(answer[start : start + step])
    finally:
        os.get_terminal_size = sized
    wanted = letters(re.sub(r"&#27;|\t|\r|^.*(```|~~~).*$|\d+[.)]|\\", "", answer, flags=re.MULTILINE))
    shown = "\n".join(screen.lines)
    assert not wanted - letters(shown)
    assert screen.lines[-1] == ""
    # Code is printed unchanged, and not drawn again.
    assert max((width(line) for line in screen.lines if line not in answer), default=0) <= max(columns, 2)


def sent(world: World, answer: str, *arguments: str, **env: str) -> str:
    """Returns what is sent to a terminal for an answer that arrives in pieces."""
    world.api.will(text(answer))
    with Terminal(world, *PROGRAM, "ask", "-q", "-I", "--markdown", *arguments, "Hi", **env) as terminal:
        terminal.wait()
        assert terminal.status == 0
        return terminal.shown.replace("\r\n", "\n")


def test_elsewhere_it_has_no_effect(world: World) -> None:
    world.api.will(text(SMALL))
    assert world.run("ask", "--markdown", "Hi").out == SMALL
    assert world.run("ask", "Hi", env={"LLAMACLI_MARKDOWN": "1"}).out == SMALL
    assert sent(world, "# One\n\n**two**\n", TERM="dumb") == "# One\n\n**two**\n"
    assert sent(world, "# One\n\n**two**\n", "-o", "file") == ""
    assert (world.cwd / "file").read_text() == "# One\n\n**two**\n"
    assert sent(world, "```\n**two**\n```", "-x") == "**two**\n"


def test_the_environment_can_ask_for_it_and_a_flag_undo_it(world: World) -> None:
    world.api.will(text("**two**"))
    for arguments, is_rendered in (([], True), (["--no-markdown"], False)):
        with Terminal(world, *PROGRAM, "ask", "-I", *arguments, "Hi", LLAMACLI_MARKDOWN="1") as terminal:
            terminal.wait()
            assert ("**two**" not in terminal.shown) == is_rendered


def test_color_can_be_disabled(world: World) -> None:
    answer = "`code` and **bold**\n\n```python\nprint('x')\n```\n"
    colors = re.compile(r"\x1b\[(?:\d+;)*(3[0-8]|4[0-8]|9\d|10\d)[;m]")
    assert colors.search(sent(world, answer))
    for arguments, env in (([], {"NO_COLOR": "1"}), (["--no-color"], {}), ([], {"LLAMACLI_NO_COLOR": "1"})):
        shown = sent(world, answer, *arguments, **env)
        assert not colors.search(shown)
        assert "\x1b[1m" in shown


HOSTILE = [
    "\x1b]8;;http://evil/\x07click\x1b]8;;\x07",
    "&#27;]0;title&#7;",
    "&#x1b;[31mred",
    "[link](http://a/\x1b[31m)",
    "[link](<http://a/&#27;[31m> \"\x9b31m\")",
    "```\x1b[31m\n\x1b[31m\n```",
    "| \x1b[31m | \x07 |\n|---|---|\n| \u202e | \x08 |",
    "- \x1b[31m\n> \x9b31m",
    "\u202ereversed\u2066",
    "a\rb",
]  # fmt: skip


@pytest.mark.parametrize("answer", HOSTILE)
def test_no_answer_controls_the_terminal(world: World, answer: str) -> None:
    shown = sent(world, answer)
    # Only llamacli's own escape sequences.
    rest = re.sub(r"\x1b\[(\?2026[hl]|\d*A|2K|J|[\d;]*m)", "", shown).replace("\r", "")
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", rest)
    assert "]8;;http" not in shown or "\\x1b]8;;http" in shown


def test_ctrl_c_leaves_what_was_there(world: World) -> None:
    blocks = [event(delta(piece)) for piece in pieces("# Heading\n\nhalf of **an answ")]
    world.api.will(stream(blocks, then="hang"))
    with Terminal(world, *PROGRAM, "ask", "-q", "-I", "--markdown", "Hi") as terminal:
        terminal.until("answ")
        terminal.type("\x03")
        assert terminal.wait() == -signal.SIGINT
        shown = Screen(24)
        shown.draw(terminal.shown.replace("^C", "").replace("\r", ""))
    # If the signal came while drawing, the end is there once more.
    assert shown.lines[:2] == ["Heading", ""]
    assert shown.lines[-3:] == ["", "half of **an answ", ""]


def test_a_broken_answer_stays_and_ends_its_line(world: World) -> None:
    world.api.will(stream([event(delta("# Heading\n\n- half an answ"))], then="cut"))
    with Terminal(world, *PROGRAM, "ask", "-q", "-I", "--markdown", "Hi") as terminal:
        assert terminal.wait() == 9
        shown = Screen(24)
        shown.draw(terminal.shown.replace("\r", ""))
    assert shown.lines[:3] == ["Heading", "", " • half an answ"]
    assert shown.lines[3].startswith("llamacli: the answer stopped")


def test_reasoning_in_between_is_not_drawn_over(world: World) -> None:
    parts = [delta(reasoning="thought one"), delta("**first** "), delta(reasoning="thought two"), delta("second")]
    world.api.will(stream([*map(event, parts), event(delta(finish="stop"))], pause=0.1))
    with Terminal(world, *PROGRAM, "ask", "-q", "-I", "--markdown", "--reasoning", "Hi") as terminal:
        assert terminal.wait() == 0
        shown = Screen(24)
        shown.draw(terminal.shown.replace("\r", ""))
    assert shown.lines == ["thought one", "thought two", "first second", ""]


def test_several_answers_and_tool_calls_are_shown_too(world: World) -> None:
    world.api.will(stream(streamed("**one**", n=2)))
    with Terminal(world, *PROGRAM, "ask", "-q", "-I", "--markdown", "-n", "2", "Hi") as terminal:
        assert terminal.wait() == 0
        assert terminal.shown.count("one") == 2
    call = {"index": 0, "id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    world.api.will(stream([event(delta("**one**")), event(delta(tool_calls=[call])), event(delta(finish="stop"))]))
    with Terminal(world, *PROGRAM, "ask", "-q", "-I", "--markdown", "Hi") as terminal:
        assert terminal.wait() == 0
        shown = Screen(24)
        shown.draw(terminal.shown.replace("\r", ""))
    assert shown.lines == ["one", '{"id": "c", "name": "f", "arguments": {}}', ""]
