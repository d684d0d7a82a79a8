"""What is written about the program is true: the README's commands run, its tables are the program's."""

import json
import re
import shutil
import stat
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
    """A machine with the files that the README speaks of."""
    for name in ("main.py", "test.py", "notes.txt", "words.txt", "review.txt", "README.md"):
        (world.cwd / name).write_text("some words\nand more\n")
    (world.cwd / "body.json").write_text(json.dumps({"model": MODEL, "messages": [{"role": "user", "content": "Hi"}]}))
    (world.cwd / "person.json").write_text('{"type": "object", "properties": {"name": {"type": "string"}}}')
    (world.cwd / "docs").mkdir()
    for name in ("intro.md", "usage.md"):
        (world.cwd / "docs" / name).write_text("some words\n")
    (world.cwd / "cities.csv").write_text("name,country\nRome,Italy\nOslo,Norway\n")
    (world.cwd / "questions.jsonl").write_text('{"id": 1, "prompt": "Why?"}\n{"id": 2, "prompt": "When?"}\n')
    (world.cwd / "review.md").write_text("Review this in {lang}:")
    (world.cwd / "terms.txt").write_text("river: Fluss")
    (world.config / "prompts").mkdir()
    (world.config / "prompts" / "translate.md").write_text("Translate to {lang} with these terms: {terms}")
    (world.cwd / "examples.json").write_text('[{"role": "user", "content": "bad"}]')
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
            return document({"data": [{"id": "llama"}]})(handler)
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
        call = {"index": 0, "id": "c", "type": "function", "function": {"name": "get_weather", "arguments": "{}"}}
        return stream([event(delta(tool_calls=[call])), event(delta(finish="tool_calls"))])(handler)

    world.api.will(answer)
    return world


#: What `config set-key` says on a machine whose key is in the environment already.
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
SHOWN = dict.fromkeys(e.flag.example for command in ALL for e in command.flags if e.flag.example)
#: What sends nothing.
LOCAL = (
    "--help",
    "--dry-run",
    "--curl",
    "config show",
    "set-key",
    "llamacli help",
    "llamacli man",
    "llamacli completion",
    "config set",
)


@pytest.mark.parametrize("command", dict.fromkeys([*COMMANDS, *EXAMPLES, *TOPIC_LINES, *SHOWN]))
def test_every_command_of_readme_help_and_man_page_runs(folder: World, command: str) -> None:
    tools = ("jq", "git", "man", "mandoc", "parallel")
    if missing := [tool for tool in tools if f"{tool} " in f"{command} " and not has(tool)]:
        pytest.skip(f"{missing[0]} is not installed")
    command = command.replace("pass show aimlapi", "echo sk-12345678")
    command = command.replace("http://localhost:8080/v1", folder.api.url)
    # No other machine is here, but `:` is parallel's name for this one.
    command = command.replace("parallel", "parallel --will-cite").replace("host1,host2", ":").replace("1000", "250")
    script = f"[ -e .git/HEAD ] || git init -q .; set -o pipefail; {command}" if "git" in command else command
    result = folder.shell(script)
    notes = r"llamacli: \d+ (tokens|answered).*\n|[<>*] .*\n"
    assert (result.status, re.sub(notes, "", result.err.replace(NOTE, ""))) == (0, "")
    if any(word in command for word in LOCAL):
        return
    if re.match(r"llamacli sessions[^|]*$", command):
        return
    many = 250 if "seq" in command else 2
    several = "while read" in command or "&&" in command or "batch" in command
    assert len(folder.api.requests) == (many if several else 1)
