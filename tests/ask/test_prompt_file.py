"""Prompt files: their text, settings and variables, and running one as a program."""

import json
import shutil
from pathlib import Path

import pytest

from llamacli.ask.options import QUESTION_OPTIONS
from llamacli.cli import app
from llamacli.cli.table import Flag, long_name
from llamacli.cli.types import Switch
from tests.cli.test_params import GOOD
from tests.support.fake_api import answer
from tests.support.world import World

FLAGS = {field: flag for group in QUESTION_OPTIONS for field, flag in group.flags().items()}
ALLOWED = [field for field, flag in FLAGS.items() if flag.in_prompt_file]
FORBIDDEN = [field for field, flag in FLAGS.items() if not flag.in_prompt_file]
UNKNOWN = sorted({spec.field for command in app.commands() for spec in command.flags} - FLAGS.keys())
#: Values of flags that have no row in the table of parameters.
VALUES = {
    "choice": ["a", "b"],
    "schema": ["name, age int"],
    "fit_retries": ["3"],
    "system": ["Be brief"],
    "messages": ['[{"role": "user", "content": "x"}]'],
    "file": ["notes.txt", "tools.json"],
    "top_logprobs": ["3"],
    "param": ["top_a=0.2", "x=y"],
    "overflow": ["head"],
    "max_input": ["5"],
}
#: Flags that need another flag.
COMPANIONS = {"top_logprobs": ["--logprobs"], "fit_retries": ["--yes-no"]}


def write(path: Path, front: str, text: str = "Hi") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"---\n{front}\n---\n{text}\n" if front else text)


def values(field: str, flag: Flag[object]) -> list[str]:
    if isinstance(flag.type, Switch):
        return ["true"]
    if field in GOOD:
        rows = [texts for texts, _ in GOOD[field] if not any("\n" in text for text in texts)]
        return rows[-1]
    return VALUES[field]


@pytest.mark.parametrize("field", ALLOWED)
def test_a_setting_is_what_its_flag_would_be(world: World, field: str) -> None:
    flag, name = FLAGS[field], long_name(field)
    (world.cwd / "notes.txt").write_text("notes")
    (world.cwd / "tools.json").write_text('[{"type": "function", "function": {"name": "f"}}]')
    texts = values(field, flag)
    write(world.cwd / "p.md", "\n".join(f"{name[2:]}: {text}" for text in texts))
    arguments = ["--dry-run", *COMPANIONS.get(field, [])]
    flags = [name] if isinstance(flag.type, Switch) else [part for text in texts for part in (name, text)]
    expected = world.call("ask", *arguments, *flags, "Hi")
    assert (expected.status, expected.err) == (0, "")
    result = world.call("ask", "-P", "p.md", *arguments)
    assert (result.status, result.out, result.err) == (0, expected.out, "")


@pytest.mark.parametrize("field", [*FORBIDDEN, *UNKNOWN])
def test_other_settings_are_refused_with_file_and_line(world: World, field: str) -> None:
    name = long_name(field)[2:]
    write(world.cwd / "p.md", f"model: m\n{name}: true")
    (world.config / "roles").mkdir()
    write(world.config / "roles" / "r.md", f"{name}: true")
    for arguments, place in ((["-P", "p.md"], "p.md:3: "), (["-r", "r"], "roles/r.md:2: ")):
        result = world.call("ask", *arguments, "Hi")
        assert (result.status, result.out, result.err.count("\n")) == (2, "", 1)
        assert place in result.err
        assert f"cannot set {name}" in result.err or f"unknown setting '{name}'" in result.err
    assert not world.api.requests


def test_a_prompt_file_cannot_name_servers_keys_outputs_or_commands() -> None:
    names = {long_name(field)[2:] for field in ALLOWED}
    assert not names & {"base-url", "key-file", "no-key", "allow-http", "ca-bundle", "header", "output", "edit", "save"}
    assert {"model", "system", "file", "choice", "yes-no", "schema", "extract", "usage", "quiet", "markdown"} <= names


def test_command_line_before_prompt_file_before_environment(world: World) -> None:
    write(world.cwd / "p.md", "model: file/model\ntop-p: 0.5\nstop: a\nstop: b")
    world.call("ask", "-P", "p.md", "--stop", "c", LLAMACLI_TOP_P="0.9", LLAMACLI_TEMPERATURE="1")
    body = world.api.body
    assert (body["model"], body["top_p"], body["stop"], body["temperature"]) == ("file/model", 0.5, ["c"], 1)
    write(world.cwd / "p.md", "choice: a,b\nsystem: from the file")
    (world.config / "roles").mkdir()
    write(world.config / "roles" / "r.md", "", "from the role")
    assert world.call("ask", "-P", "p.md", "-x", "-r", "r").status in (0, 12)
    assert world.api.body["messages"][0]["content"] == "from the role"
    assert "tools" not in world.api.body


@pytest.mark.parametrize(
    ("text", "words", "stdin", "prompt"),
    [
        ("Hi", [], "", "Hi"),
        ("Hi\n\n\n", ["a", "b"], "", "Hi\n\na b"),
        ("Hi", ["a"], "s", "Hi\n\na\n\ns"),
        ("#!/usr/bin/env -S llamacli ask -P\nHi", [], "s", "Hi\n\ns"),
        ("#!x\n---\nmodel: m\n---\n\n\nHi", [], "", "Hi"),
        ("\ufeff---\r\nmodel: m\r\n---\r\nHi\r\n\r\nthere\r\n", [], "", "Hi\n\nthere"),
        ("---\n\n# a comment\nmodel: m\n---\nHi\n---\nnot: settings\n---", [], "", "Hi\n---\nnot: settings\n---"),
        ("Say {words}: {stdin}!", ["a", "b"], "s\n", "Say a b: s!"),
        ("Say {words}.", [], "s", "Say .\n\ns"),
        ("{{stdin}} {{}} }}{{", [], "", "{stdin} {} }{"),
        ("{stdin} {stdin}", [], "{words} {{", "{words} {{ {words} {{"),
        ("---\nvar.a: {b} and {{\n---\n{a} {words}", ["{a}"], "", "{b} and {{ {a}"),
        ("---\nvar.a: 1\nvar.b-c:   two words \n---\n{a}{b-c}", [], "", "1two words"),
        ("---\nvar.a: x: y\n---\n{a}", [], "", "x: y"),
    ],
)
def test_the_text_becomes_the_prompt(world: World, text: str, words: list[str], stdin: str, prompt: str) -> None:
    (world.cwd / "p.md").write_text(text, newline="")
    result = world.call("ask", "-P", "p.md", *words, stdin=stdin)
    assert (result.status, result.err) == (0, "")
    assert world.api.prompt == prompt


@pytest.mark.parametrize("line", ["no-stream: true", "stream: false", "no-stream: TRUE"])
def test_a_switch_may_be_turned_off_by_both_of_its_names(world: World, line: str) -> None:
    write(world.cwd / "p.md", line)
    assert json.loads(world.call("ask", "--dry-run", "-P", "p.md").out)["stream"] is False


def test_variables_come_from_flags_files_and_defaults(world: World) -> None:
    write(world.cwd / "sub" / "p.md", "var.a: 1\nvar.b: @b.txt\nvar.c: @@c", "{a} {b} {c} {d}")
    (world.cwd / "sub" / "b.txt").write_text("from sub\n")
    (world.cwd / "d.txt").write_text("from here\n")
    assert world.call("ask", "-P", "sub/p.md", "-V", "a=2", "-V", "d=@d.txt").status == 0
    assert world.api.prompt == "2 from sub @c from here"
    assert world.call("ask", "-P", "sub/p.md", "-V", "d=@-", "-V", "b=@@x=y", stdin="piped").status == 0
    assert world.api.prompt == "1 @x=y @c piped"


def test_files_are_relative_to_the_prompt_file_also_through_a_link(world: World) -> None:
    write(world.cwd / "sub" / "p.md", "system: @system.txt\nfile: notes.txt\nfile: /dev/null")
    (world.cwd / "sub" / "system.txt").write_text("S")
    (world.cwd / "sub" / "notes.txt").write_text("N")
    (world.cwd / "bin").mkdir()
    (world.cwd / "bin" / "p").symlink_to("../sub/p.md")
    for path in ("sub/p.md", "bin/p", str(world.cwd / "sub" / "p.md")):
        assert world.call("ask", "-P", path).status == 0
        system, user = world.api.body["messages"]
        assert system["content"] == "S"
        assert "\nN\n</file>" in user["content"]


@pytest.mark.parametrize(
    ("text", "arguments", "words"),
    [
        ("---\nmodel m\n---\nHi", [], "p.md:2: 'model m' is not 'name: value'"),
        ("---\nmodel: m\nHi: x", [], "p.md:3: unknown setting 'Hi'"),
        ("---\nmodel: m\n", [], "p.md:1: the front matter has no end"),
        ("#!x\n---\nmodel: m", [], "p.md:2: the front matter has no end"),
        ("---\nmodle: m\n---\nHi", [], "p.md:2: unknown setting 'modle'; did you mean 'model'?"),
        ("---\n--model: m\n---\nHi", [], "p.md:2: unknown setting '--model'"),
        ("---\nmax_tokens: 5\n---\nHi", [], "p.md:2: unknown setting 'max_tokens'; did you mean 'max-tokens'?"),
        ("---\ntemperature: hot\n---\nHi", [], "p.md:2: temperature: 'hot' is not a number from 0 to 2"),
        ("---\ntemperature:\n---\nHi", [], "p.md:2: temperature has no value"),
        ("---\nseed: 1\nseed: 2\n---\nHi", [], "p.md:3: seed is set twice"),
        ("---\nvar.a: 1\nvar.a: 2\n---\n{a}", [], "p.md:3: var.a is set twice"),
        ("---\nvar.stdin: 1\n---\nHi", [], "p.md:2: 'stdin' cannot be the name of a variable"),
        ("---\nvar.: 1\n---\nHi", [], "p.md:2: '' cannot be the name of a variable"),
        ("---\nyes-no: maybe\n---\nHi", [], "p.md:2: yes-no: 'maybe' is not true or false"),
        ("---\nsystem: @missing\n---\nHi", [], "missing: No such file or directory"),
        ("---\nvar.a: @missing\n---\n{a}", [], "missing: No such file or directory"),
        ("one\ntwo {lang}", [], "p.md:2: variable 'lang' has no value; set it with -V lang=VALUE"),
        ("---\nmodel: m\n---\n\none {lang}", [], "p.md:5: variable 'lang' has no value"),
        ('{"a": 1}', [], 'p.md:1: {"a": 1} is not a variable; write {{ and }} for braces'),
        ("a } b", [], "p.md:1: '}' is not part of a variable; write }} for a literal brace"),
        ("a { b", [], "p.md:1: '{' is not part of a variable; write {{ for a literal brace"),
        ("{stdin}", ["-I"], "p.md:1: {stdin} needs text on stdin"),
        ("{a}", ["-V", "b=1"], "--var: p.md has no variable 'b'; its variables: a"),
        ("Hi", ["-V", "b=1"], "--var: p.md has no variable 'b'; its variables: none"),
        ("{a}", ["-V", "a"], "--var: 'a' is not NAME=VALUE"),
        ("{a}", ["-V", "=1"], "--var: '=1' is not NAME=VALUE"),
        ("{a}", ["-V", "a=@missing"], "missing: No such file or directory"),
        ("", ["-I"], "nothing to ask"),
    ],
)
def test_errors_name_file_and_line(world: World, text: str, arguments: list[str], words: str) -> None:
    (world.cwd / "p.md").write_text(text)
    result = world.call("ask", "-P", "p.md", *arguments)
    assert (result.status, result.out, result.err.count("\n")) == (2, "", 1)
    assert words in result.err
    assert not world.api.requests


def test_a_bare_name_is_a_file_in_the_prompts_folder(world: World) -> None:
    write(world.config / "prompts" / "review.md", "", "from the folder")
    (world.cwd / "review").write_text("from here")
    (world.cwd / "other").write_text("other")
    for name, prompt in (("review", "from the folder"), ("./review", "from here"), ("other", "other")):
        assert world.call("ask", "-P", name).status == 0
        assert world.api.prompt == prompt
    for name in ("reviw", "review.md"):
        result = world.call("ask", "-P", name)
        assert result.status == 2
        assert f"there is no prompt '{name}'; did you mean 'review'?" in result.err
    assert "there is no prompt 'x'; create " in world.call("ask", "-P", "x").err
    (world.cwd / "x.md").touch()
    assert (
        "there is no prompt 'x'; for the file in this folder: --prompt-file x.md\n" in world.call("ask", "-P", "x").err
    )
    assert world.call("ask", "-P", "").status == 2
    assert (
        world.call("ask", "-V", "a=1", "Hi").err
        == "llamacli: --var sets variables of a prompt file; name the file with -P\n"
    )
    assert world.call("ask", "-P", "-", "words", stdin="Hi {words}").status == 0
    assert world.api.prompt == "Hi words"


def test_a_role_has_settings_and_variables_too_and_keeps_its_braces(world: World) -> None:
    write(world.config / "roles" / "r.md", "temperature: 0.3\nvar.lang: de", 'Answer {"in": "{lang}"} } {other}')
    assert world.call("ask", "-r", "r", "Hi").status == 0
    system = {"role": "system", "content": 'Answer {"in": "de"} } {other}'}
    assert (world.api.body["messages"][0], world.api.body["temperature"]) == (system, 0.3)
    assert world.call("ask", "-r", "r", "-V", "other=x", "Hi").status == 0
    assert world.api.body["messages"][0]["content"] == 'Answer {"in": "de"} } x'
    write(world.cwd / "p.md", "temperature: 1")
    assert world.call("chat", "--no-save", "-r", "r", "-P", "p.md").status == 0
    assert world.api.body["temperature"] == 1
    assert world.call("batch", "-r", "r", "Say {}", stdin="x\n").status == 0
    assert (world.api.body["messages"][0], world.api.body["temperature"]) == (system, 0.3)


def test_in_a_batch_the_prompt_file_is_the_template(world: World) -> None:
    write(world.cwd / "p.md", "max-tokens: 5\nusage: true\nvar.lang: de {x}", "{{Say}} {name} in {lang}")
    (world.cwd / "in.csv").write_text("name\nann\nbob\n")
    rows = world.call("batch", "-P", "p.md", "in.csv")
    assert rows.status == 0
    bodies = [request.json for request in world.api.requests]
    prompts = sorted(body["messages"][0]["content"] for body in bodies)
    assert prompts == ["{Say} ann in de {x}", "{Say} bob in de {x}"]
    assert {body["max_tokens"] for body in bodies} == {5}
    write(world.cwd / "p.md", "", "Review: {stdin}")
    for arguments, stdin in (([], "line\n"), (["-"], "line\n")):
        assert world.call("batch", "-P", "p.md", *arguments, stdin=stdin).status == 0
        assert world.api.prompt == "Review: line"
    write(world.cwd / "p.md", "", "{missing}")
    assert "missing" in world.call("batch", "-P", "p.md", "in.csv").err


def test_chat_takes_its_first_turn_from_a_prompt_file(world: World) -> None:
    write(world.cwd / "p.md", "system: Be brief", "Hello {words}")
    assert world.call("chat", "-S", "s", "-P", "p.md", "you").status == 0
    assert [message["content"] for message in world.api.body["messages"]] == ["Be brief", "Hello you"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_prompt_file_is_a_program(world: World, shell: str) -> None:
    if not shutil.which(shell):
        pytest.skip(f"{shell} is not installed")
    script = world.cwd / "review.md"
    write(script, "model: some/model\nyes-no: true\nvar.lang: en", "Review this in {lang}:\n{stdin}")
    script.write_text("#!/usr/bin/env -S llamacli ask -P\n" + script.read_text())
    script.chmod(0o755)
    commands = (
        "printf 'a diff\\n' | ./review.md -V lang=de; and echo yes"
        if shell == "fish"
        else ("printf 'a diff\\n' | ./review.md -V lang=de && echo yes")
    )
    world.api.will(answer("yes"))
    flags = "--no-config" if shell == "fish" else "-f" if shell == "zsh" else "--norc"
    result = world.shell(f'{shell} {flags} -c "$COMMANDS"', COMMANDS=commands)
    assert (result.err, result.out) == ("", "yes\nyes\n")
    assert world.api.body["model"] == "some/model"
    assert world.api.body["messages"][0]["content"].startswith("Review this in de:\na diff")


@pytest.mark.parametrize("seconds", ["inf", "1e300", "nan", "-1", "x"])
def test_an_invalid_time_limit_is_2_also_if_the_prompt_file_is_a_fifo(world: World, seconds: str) -> None:
    result = world.shell(f"llamacli ask -P <(echo Hi) --max-time={seconds}")
    assert (result.status, result.err.count("\n")) == (2, 1)
    assert result.err.startswith(f"llamacli: --max-time: '{seconds}' is ")
