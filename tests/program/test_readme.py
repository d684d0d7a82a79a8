"""The README: its transcripts, its prompt file, its picture, its size."""

import html
import re
import shutil

import pytest

from tests.support import picture
from tests.support.world import ROOT, World

README = (ROOT / "README.md").read_text()


@pytest.fixture
def folder(world: World) -> World:
    """A machine with the files that the README mentions, and a server with its answers."""
    world.api.will(picture.respond)
    (world.cwd / "letter.txt").write_text("Dear Babbage, ...\n")
    return world


def transcripts() -> list[tuple[str, str]]:
    """Returns each command of the README's console blocks with its output."""
    blocks = re.findall(r"^```console\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
    parts = [part for block in blocks for part in block.split("$ ")[1:]]
    return [(command, output) for command, _, output in (part.partition("\n") for part in parts)]


@pytest.mark.parametrize(("command", "output"), transcripts())
def test_a_transcript_shows_what_the_command_prints(folder: World, command: str, output: str) -> None:
    assert folder.shell(command).out == output


def test_the_prompt_file_is_a_program(folder: World) -> None:
    (text,) = re.findall(r"^```text\n(#!.*?)^```", README, re.MULTILINE | re.DOTALL)
    (folder.cwd / "review.md").write_text(text)
    (folder.cwd / "review.md").chmod(0o755)
    result = folder.shell("echo '+ a line' | ./review.md -V lang=German")
    assert (result.status, result.err) == (0, "")
    assert folder.api.body["messages"][-1]["content"] == "Review this diff in German:\n\n+ a line"
    assert folder.api.body["temperature"] == 0


def test_the_loop_that_runs_tools_is_the_one_of_the_help_topic() -> None:
    (loop,) = re.findall(r"^```bash\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
    topic = (ROOT / "llamacli" / "cli" / "docs" / "topics" / "chat.txt").read_text()
    assert "".join(f"    {line}\n" for line in loop.splitlines()) in topic


def test_the_picture_shows_what_the_commands_print() -> None:
    def texts(svg: str) -> str:
        return html.unescape(" ".join(re.findall(r"<text[^>]*>([^<]*)</text>", svg)))

    committed = (ROOT / ".github" / "demo.svg").read_text()
    assert texts(committed) == texts(picture.draw()), "the picture is stale: run `make picture` and commit it"
    assert "@font-face" not in committed


@pytest.mark.parametrize(
    "script",
    ["zsh -fc 'noglob llamacli ask why is the sky blue?'", "fish -c \"llamacli ask 'why is the sky blue?'\""],
)
def test_a_question_mark_reaches_the_model_as_the_readme_says(folder: World, script: str) -> None:
    shell = script.partition(" ")[0]
    if not shutil.which(shell):
        pytest.skip(f"{shell} is not installed")
    assert folder.shell(script).status == 0
    assert folder.api.prompt == "why is the sky blue?"


def test_it_is_short_and_begins_with_a_question() -> None:
    assert len(README.encode()) <= 9 * 1024
    assert any("llamacli ask" in line for line in README.splitlines()[:25])
