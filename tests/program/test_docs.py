"""The documentation is true: the README's commands run, and its tables match the program."""

import json
import re
import shutil
import stat
import textwrap
from typing import Any

import pytest

from llamacli.cli import app
from llamacli.cli.docs import help
from tests.support.fake_api import MODEL, Handler, completion, delta, document, event, respond, stream, text
from tests.support.world import ROOT, World

README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"^```sh\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
COMMANDS = [line for block in BLOCKS for line in block.splitlines() if "llamacli" in line]


def example(schema: dict[str, Any]) -> object:
    """Returns a value that fits a simple schema."""
    if "enum" in schema:
        return schema["enum"][0]
    if schema["type"] == "array":
        return [example(schema["items"])]
    if schema["type"] == "object":
        return {name: example(inner) for name, inner in schema["properties"].items()}
    return {"string": "x", "integer": 3}[schema["type"]]


def has(tool: str) -> bool:
    return shutil.which(tool) is not None


@pytest.fixture
def folder(world: World) -> World:
    """A machine with the files that the README mentions."""
    for name in ("main.py", "test.py", "notes.txt", "words.txt", "review.txt", "README.md"):
        (world.cwd / name).write_text("some words\nand more\n")
    (world.cwd / "body.json").write_text(json.dumps({"model": MODEL, "messages": [{"role": "user", "content": "Hi"}]}))
    (world.cwd / "person.json").write_text('{"type": "object", "properties": {"name": {"type": "string"}}}')
    (world.cwd / "weather.json").write_text('{"sky": "clear"}')
    (world.cwd / "photo.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    (world.cwd / "names.txt").write_text("main.py\ntest.py\n")
    (world.cwd / "docs").mkdir()
    for name in ("intro.md", "usage.md"):
        (world.cwd / "docs" / name).write_text("some words\n")
    (world.cwd / "cities.csv").write_text("name,country\nRome,Italy\nOslo,Norway\n")
    (world.cwd / "questions.jsonl").write_text('{"id": 1, "prompt": "Why?"}\n{"id": 2, "prompt": "When?"}\n')
    (world.cwd / "review.md").write_text("Review this in {lang}:")
    (world.cwd / "terms.txt").write_text("river: Fluss")
    (world.config / "prompts").mkdir()
    for name, prompt in PROMPT_FILES:
        (world.config / "prompts" / f"{name}.md").write_text(textwrap.dedent(prompt))
    (world.cwd / "examples.json").write_text('[{"role": "user", "content": "bad"}]')
    (world.cwd / "calls.jsonl").write_text(USAGE_LOG_LINE)
    (world.cwd / "tools.json").write_text('[{"type": "function", "function": {"name": "get_weather"}}]')
    sessions = world.home / ".local" / "state" / "llamacli" / "sessions"
    sessions.mkdir(parents=True)
    said = [{"role": "user", "content": "What does this do?"}, {"role": "assistant", "content": "Nothing."}]
    (sessions / "review.jsonl").write_text("".join(json.dumps(message) + "\n" for message in said))
    for path in (".zfunc", ".config/fish/completions"):
        (world.home / path).mkdir(parents=True)
    (world.config / "roles").mkdir()
    (world.config / "roles" / "pirate.md").write_text("Talk like a pirate.")
    editor = world.cwd / "editor"
    editor.write_text('#!/bin/sh\necho "an edited prompt" >"$1"\n')
    editor.chmod(editor.stat().st_mode | stat.S_IXUSR)
    world.env["EDITOR"] = str(editor)

    def answer(handler: Handler) -> None:
        if handler.asked.path == "/v1/models":
            models = [
                {"id": id, "type": "openai/chat-completions", "info": {"contextLength": 8192}}
                for id in ("llama", MODEL)
            ]
            return document({"data": models})(handler)
        if handler.asked.path == "/v2/billing":
            return document({"current_balance": 1.5})(handler)
        if "greets" in handler.asked.json["messages"][-1].get("content", ""):
            return text("```sh\necho hello\n```")(handler)
        if "tools" not in handler.asked.json:
            return respond(handler)
        function = handler.asked.json["tools"][0]["function"]
        if function["name"] == "give_answer":
            given = {name: example(schema) for name, schema in function["parameters"]["properties"].items()}
            whole = {"name": "give_answer", "arguments": json.dumps(given)}
            return document(completion(None, "tool_calls", tool_calls=[{"id": "c", "function": whole}]))(handler)
        call = {"index": 0, "id": "call_1", "type": "function", "function": {"name": "get_weather", "arguments": "{}"}}
        return stream([event(delta(tool_calls=[call])), event(delta(finish="tool_calls"))])(handler)

    world.api.will(answer)
    return world


#: The note of `config set-key` if the key is already in the environment.
NOTE = "llamacli: AIMLAPI_API_KEY in the environment takes precedence\n"
ALL = app.commands()
EXAMPLES = [*help.EXAMPLES, *(line for command in ALL for line in command.examples)]
TOPIC_LINES = [
    line.strip()
    for name in help.TOPICS
    for paragraph in help.topic_paragraphs(name)
    for line in paragraph.splitlines()
    if line.startswith("    ") and "llamacli " in line
]
#: The prompt files in the help topic.
PROMPT_FILES = re.findall(
    r"^In prompts/(\w+)\.md.*\n\n((?: {4}.*\n)+)", (help.TOPIC_FOLDER / "prompts.txt").read_text(), re.MULTILINE
)
SHOWN = dict.fromkeys(e.flag.example for command in ALL for e in command.flags if e.flag.example)
#: A line of a usage log.
USAGE_LOG_LINE = '{"time": "2026-01-01T00:00:00Z", "model": "llama", "status": 0, "seconds": 1.5, "usd": 0.01}\n'
#: Lines that are not a command: part of a loop, a file's first line, or one that needs a terminal or another machine.
FRAGMENTS = ('"$@"', "#!/usr/bin/env", "llamacli chat -c", "chat -i", "man llamacli")
#: Commands that send nothing to the model.
LOCAL = (
    "calls.jsonl",
    "llamacli usage",
    "--help",
    "--dry-run",
    "--curl",
    "llamacli config",
    "llamacli help",
    "llamacli man",
    "llamacli completion",
)
#: Real paths and names, and what replaces them here.
STAND_INS = {
    "pass show aimlapi": "echo sk-12345678",
    "llamacli config set-key  ": "echo sk-12345678 | llamacli config set-key  ",
    "http://localhost:8080/v1": "$AIMLAPI_BASE_URL",
    "https://api.openai.com/v1 -m": "$AIMLAPI_BASE_URL -m",
    "AIMLAPI_API_KEY=$OPENAI_API_KEY ": "",
    "wl-copy": "cat",
    "| less -R": "| cat",
    # `:` is this machine to GNU parallel.
    "parallel": "parallel --will-cite",
    "host1,host2": ":",
    "1000": "250",
}
#: Commands that must run before one that continues something.
BEFORE = {
    "llamacli usage": "export LLAMACLI_USAGE_LOG=calls.jsonl",
    "git ": "[ -e .git/HEAD ] || git init -q .",
    "ask -c ": "llamacli ask --save -q hello >/dev/null",
    "sessions last": "llamacli ask --save -q hello >/dev/null",
    "--tool-result": "llamacli chat -S trip --tools @tools.json 'Weather?' >/dev/null",
}


#: Every command that is printed anywhere and can run alone.
WHOLE = [
    line
    for line in dict.fromkeys([*COMMANDS, *EXAMPLES, *TOPIC_LINES, *SHOWN])
    if not any(fragment in line for fragment in FRAGMENTS)
]


@pytest.mark.parametrize("command", WHOLE)
def test_every_command_of_readme_help_and_man_page_runs(folder: World, command: str) -> None:
    tools = ("jq", "git", "man", "mandoc", "parallel")
    if missing := [tool for tool in tools if f"{tool} " in f"{command} " and not has(tool)]:
        pytest.skip(f"{missing[0]} is not installed")
    before = [step for words, step in BEFORE.items() if words in command]
    for elsewhere, here in STAND_INS.items():
        command = command.replace(elsewhere, here)
    result = folder.shell("\n".join([*before, "set -o pipefail", command]))
    notes = (
        r"llamacli: (\d+ (tokens|answered)|removing|add this to|LLAMACLI_MODEL is|AIMLAPI_BASE_URL in).*\n|[<>*] .*\n"
    )
    errors = re.sub(notes, "", result.err.replace(NOTE, ""))
    assert (result.status, errors) == (0, ""), f"the example '{command}' fails with {result.status}: {errors}"
    if any(word in command for word in LOCAL) or re.search(r"llamacli (sessions|usage)[^|]*$", command):
        return
    assert len(folder.api.requests) == asked(command) + len([step for step in before if "llamacli" in step])


def asked(command: str) -> int:
    """Returns the number of requests that a command must send: one per line of its input, if it reads lines."""
    if "seq" in command:
        return 250
    if "sessions last" in command:
        return 0
    reads_lines = any(word in command for word in ("while read", "&&", "llamacli batch"))
    if "--input files" in command:
        return 2 if "docs" in command else 1
    return 2 if reads_lines else 1
