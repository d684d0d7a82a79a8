"""What is written about the program is true: the README's commands run, its tables are the program's."""

import json
import re
import shutil
import stat
from typing import Any

import pytest

from llamacli.cli import app, spec
from llamacli.cli.docs import help
from llamacli.errors import ExitStatus
from tests.support.fake_api import HELLO, MODEL, Handler, completion, delta, document, event, respond, stream, text
from tests.support.world import ROOT, World

README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"^```sh\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
COMMANDS = [line for block in BLOCKS for line in block.splitlines() if "llamacli" in line]


def example(schema: dict[str, Any]) -> object:
    """Returns a value that fits a simple schema."""
    return schema["enum"][0] if "enum" in schema else {"string": "x", "integer": 3, "array": ["x"]}[schema["type"]]


def has(tool: str) -> bool:
    return shutil.which(tool) is not None


@pytest.fixture
def folder(world: World) -> World:
    """A machine with the files that the README speaks of."""
    for name in ("main.py", "test.py", "notes.txt", "words.txt", "review.txt", "README.md"):
        (world.cwd / name).write_text("some words\nand more\n")
    (world.cwd / "body.json").write_text(json.dumps({"model": MODEL, "messages": [{"role": "user", "content": "Hi"}]}))
    (world.cwd / "person.json").write_text('{"type": "object", "properties": {"name": {"type": "string"}}}')
    (world.cwd / "cities.csv").write_text("name,country\nRome,Italy\nOslo,Norway\n")
    (world.cwd / "questions.jsonl").write_text('{"id": 1, "prompt": "Why?"}\n{"id": 2, "prompt": "When?"}\n')
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
NOTE = "llamacli: AIMLAPI_API_KEY in the environment goes before it\n"
ALL = app.commands()
EXAMPLES = [*help.EXAMPLES, *(line for command in ALL for line in command.examples)]
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
)


@pytest.mark.parametrize("command", dict.fromkeys([*COMMANDS, *EXAMPLES, *SHOWN]))
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


@pytest.mark.skipif(not has("jq"), reason="jq is not installed")
def test_the_script_block_runs_as_a_whole(folder: World) -> None:
    block = next(block for block in BLOCKS if "case $?" in block)
    result = folder.shell(block)
    assert result.status == 0
    assert result.out.count(HELLO) > 6
    assert "tokens in" in (folder.cwd / "usage.log").read_text()


def test_the_readmes_table_of_statuses_is_the_programs() -> None:
    rows = re.findall(r"^\| (\d+) \| (.*) \|$", README, re.MULTILINE)
    assert [(int(value), text.replace("\\|", "|")) for value, text in rows] == [
        (s.value, s.meaning) for s in ExitStatus
    ]


@pytest.mark.parametrize("name", app.COMMANDS)
def test_help_shows_every_flag_and_fits_the_terminal(world: World, name: str) -> None:
    command = app.command(name)
    examples = list(command.examples)
    for columns in (80, 40, 60, 120):
        result = world.run(name, "--help", env={"COLUMNS": str(columns)})
        assert (result.status, result.err) == (0, "")
        assert world.run(name, "-h", env={"COLUMNS": str(columns)}).out == result.out
        # An example is to be copied, and keeps its line whatever its length.
        lines = [line for line in result.out.splitlines() if line.strip() not in examples]
        assert max(map(len, lines)) <= columns
    for table in command.groups:
        for field, flag in table.flags().items():
            for form in [*flag.aliases, *filter(None, [flag.short])]:
                assert form in result.out
            long = flag.param_decls(field)[0].split("/")[0]
            assert long in result.out.replace("--[no-]", "--")
            assert flag.help.split()[0] in result.out
    assert "Examples:\n  " + "\n  ".join(examples) in result.out
    assert "issue tracker" in result.out
    assert len(examples) >= 3


GROUPS = ["Input", "Request", "Output", "Display", "Server and key", "Network", "Help"]


@pytest.mark.parametrize("name", app.COMMANDS)
def test_help_is_grouped_and_gives_a_flag_a_line_or_two(world: World, name: str) -> None:
    shown = world.run("help", name, env={"COLUMNS": "80"}).out
    titles = [title for title in re.findall(r"^(\w[\w ]*):$", shown, re.MULTILINE) if title != "Examples"]
    known = [title for title in titles if title in GROUPS]
    assert known == sorted(known, key=GROUPS.index)
    assert len(titles) == len(set(titles))
    flags = shown[shown.index(f"\n{titles[0]}:\n") : shown.index("\nExamples:")]
    for row in re.split(r"\n(?=  {1,5} *-)", flags)[1:]:
        # A blank line, a heading or a note ends a flag's own lines.
        lines = re.match(r".*(?:\n {31}.*)*", row)
        assert lines is not None
        assert lines[0].count("\n") < 2, lines[0]


def test_help_does_not_fail_on_a_narrow_terminal(world: World) -> None:
    for columns in ("30", "10", "1", "0", "x"):
        assert world.run("ask", "-h", env={"COLUMNS": columns}).status == 0


@pytest.mark.parametrize("name", app.COMMANDS)
def test_every_flag_has_a_long_form_of_its_own_and_a_sentence(name: str) -> None:
    forms: list[str] = []
    for table in app.command(name).groups:
        for field, flag in table.flags().items():
            forms += [form for part in flag.param_decls(field) for form in part.split("/")]
            assert flag.param_decls(field)[0].startswith("--")
            assert flag.help[0].isupper()
            assert flag.help.endswith((".", ")."))
    assert len(forms) == len(set(forms))


@pytest.mark.parametrize("name", app.COMMANDS)
def test_help_prints_what_the_flag_does(world: World, name: str) -> None:
    assert world.run("help", name).out == world.run(name, "--help").out
    assert world.run("help").out == world.run("--help").out


@pytest.mark.parametrize("command", ALL, ids=[command.name for command in ALL])
def test_help_names_no_flag_that_the_command_does_not_have(command: spec.CommandSpec) -> None:
    own = {form for entry in command.flags for form in entry.names}
    sentences = re.split(r"\n\s*\n|(?<=\.)\s", help.command_help(command).partition("\n\nExamples:")[0])
    for sentence in sentences:
        for flag in re.findall(r"(?<![\w-])--[a-z][a-z-]*", sentence):
            # What is said of other commands names them.
            others = [other.name for other in ALL if flag in [form for entry in other.flags for form in entry.names]]
            assert flag in own or any(re.search(rf"\b{name}\b", sentence) for name in others), sentence


def test_help_prints_the_tables(world: World) -> None:
    shown = world.run("help", "exit-codes")
    assert (shown.status, shown.err) == (0, "")
    for status in ExitStatus:
        assert re.search(rf"^{status.value} +{re.escape(status.meaning.split()[0])}", shown.out, re.MULTILINE)
    variables = world.run("help", "environment").out
    for name in app.COMMANDS:
        for table in app.command(name).groups:
            for field, flag in table.flags().items():
                assert (flag.variable(field) or "LLAMACLI_KEY_FILE") in variables
    files = world.run("help", "files").out
    assert str(world.home / ".config" / "llamacli" / ".env") in files
    for topic in ("environment", "files"):
        for columns in ("50", "80", "200"):
            lines = world.run("help", topic, env={"COLUMNS": columns}).out.splitlines()
            # A path stands alone on a line of its own length.
            assert max(len(line) for line in lines if "/llamacli/" not in line) <= int(columns)


def test_help_on_nothing_that_exists_is_2(world: World) -> None:
    result = world.run("help", "exit-code")
    assert (result.status, result.out) == (2, "")
    assert result.err.startswith("llamacli: no help on 'exit-code'; there is ask, chat, raw,")


def test_version_goes_to_stdout(world: World) -> None:
    from llamacli import __version__

    result = world.run("--version")
    assert (result.status, result.out, result.err) == (0, f"llamacli {__version__}\n", "")


def test_no_command_is_short_help_on_stderr(world: World) -> None:
    result = world.run()
    assert (result.status, result.out) == (2, "")
    assert result.err.startswith("Usage: llamacli COMMAND")
    assert len(result.err.splitlines()) < 30
    assert max(map(len, result.err.splitlines())) <= 80
    for arguments in (["-h"], ["--help"]):
        shown = world.run(*arguments)
        assert (shown.status, shown.out, shown.err) == (0, result.err, "")


def test_what_is_generated_does_not_depend_on_the_environment(world: World) -> None:
    plain = world.run("ask", "-h").out
    assert world.run("ask", "-h", env={"LLAMACLI_MODEL": "other", "AIMLAPI_BASE_URL": "http://x"}).out == plain
