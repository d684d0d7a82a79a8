"""The short and full help of each command, and the topics."""

import re

import pytest

from llamacli import PROGRAM, __version__
from llamacli.cli import app, spec
from llamacli.cli.docs import help
from llamacli.errors import ExitStatus
from tests.support.world import World

ALL = app.commands()
NAMES = [command.name for command in ALL]


@pytest.mark.parametrize("command", ALL, ids=NAMES)
def test_short_help_fits_a_small_screen(world: World, command: spec.CommandSpec) -> None:
    result = world.call(command.name, "-h", COLUMNS="80", LINES="24")
    assert (result.status, result.err) == (0, "")
    lines = result.out.splitlines()
    assert len(lines) <= 24, f"{command.name} -h has {len(lines)} lines: mark fewer flags as common"
    # An example is not wrapped, so that it can be copied.
    assert max(len(line) for line in lines if line.strip() not in command.examples) <= 80
    assert lines[0].startswith(f"Usage: {PROGRAM} {command.name}")
    assert app.COMMANDS[command.name] in lines[1:3]
    assert lines[-1] == f"All options: {PROGRAM} {command.name} --help"
    common = list(filter(command.is_common, command.flags))
    for flag in common:
        assert f"  {flag.label} " in result.out
    assert [line for line in lines if line.strip() in command.examples] == [f"  {e}" for e in command.examples[:3]]


@pytest.mark.parametrize("command", ALL, ids=NAMES)
def test_full_help_shows_every_flag_and_fits_the_terminal(world: World, command: spec.CommandSpec) -> None:
    for columns in (80, 40, 60, 120):
        result = world.call(command.name, "--help", COLUMNS=str(columns))
        assert (result.status, result.err) == (0, "")
        lines = [line for line in result.out.splitlines() if line.strip() not in command.examples]
        assert max(map(len, lines)) <= columns
    for flag in command.flags:
        assert f"  {flag.label}" in result.out
    assert "\n  ".join(["Examples:", *command.examples]) in result.out
    assert help.ISSUES in result.out


@pytest.mark.parametrize("command", ALL, ids=NAMES)
def test_full_help_begins_with_the_common_options(world: World, command: spec.CommandSpec) -> None:
    shown = world.call(command.name, "--help", COLUMNS="80").out
    titles = [
        title for title in re.findall(r"^(\w[\w ]*):$", shown, re.MULTILINE) if title not in ("Actions", "Examples")
    ]
    assert len(titles) == len(set(titles))
    assert titles[-1] == "Help"
    assert (titles[0] == "Common options") == any(map(command.is_common, command.flags))


def test_every_action_has_help_and_every_help_an_action(world: World) -> None:
    with_actions = [command for command in ALL if command.actions]
    assert [command.name for command in with_actions] == ["sessions", "config"]
    for command in with_actions:
        assert tuple(usage.split()[0] for usage in command.actions) == command.operands[0].type.values
        for flag in ("-h", "--help"):
            shown = world.call(command.name, flag, COLUMNS="100").out
            for usage, text in command.actions.items():
                assert f"  {usage} " in shown
                assert text in shown


def test_the_short_help_of_config_shows_no_request_parameters(world: World) -> None:
    shown = world.call("config", "-h").out
    assert "--all" in shown
    assert "--model" not in shown


def test_help_does_not_fail_on_a_narrow_terminal(world: World) -> None:
    for columns in ("30", "10", "1", "0", "x"):
        assert world.call("ask", "-h", COLUMNS=columns).status == 0


@pytest.mark.parametrize("command", ALL, ids=NAMES)
def test_a_command_has_a_description_and_examples(command: spec.CommandSpec) -> None:
    file = f"llamacli/commands/{command.name}.py"
    for paragraph in command.description:
        assert paragraph.endswith("."), f"{file}: DESCRIPTION needs whole sentences"
        assert len(paragraph) <= 520, f"{file}: a paragraph of DESCRIPTION is too long to be read"
    assert len(command.examples) >= 3, f"{file}: EXAMPLES needs three command lines or more"


@pytest.mark.parametrize("command", ALL, ids=NAMES)
def test_the_help_of_a_flag_is_a_short_sentence(command: spec.CommandSpec) -> None:
    names = [name for flag in command.flags for name in flag.names]
    assert len(names) == len(set(names)), f"{command.name}: two flags share a name"
    for flag in command.flags:
        text = flag.flag.help
        assert flag.long.startswith("--")
        assert text[0].isupper(), f"{flag.long}: the help must be a sentence"
        assert text.endswith("."), f"{flag.long}: the help must end with a period"
        assert len(text) <= 60, f"{flag.long}: the help is {len(text)} characters long; at most 60 fit on a line"


@pytest.mark.parametrize("name", NAMES)
def test_help_prints_what_the_flag_does(world: World, name: str) -> None:
    text, _, more = world.call(name, "--help").out.partition(" More:")
    shown = world.call("help", name).out
    assert shown.startswith(text.rpartition("To report")[0])
    assert shown.endswith("--version.\n"), "it points to itself"
    assert bool(more) == (name in help.TOPICS)
    assert world.call("help").out == world.call("--help").out


@pytest.mark.parametrize("command", ALL, ids=NAMES)
def test_help_names_no_flag_that_the_command_does_not_have(command: spec.CommandSpec) -> None:
    own = {name for flag in command.flags for name in flag.names}
    sentences = re.split(r"\n\s*\n|(?<=\.)\s", help.command_help(command).partition("\n\nExamples:")[0])
    for sentence in sentences:
        for flag in re.findall(r"(?<![\w-])--[a-z][a-z-]*", sentence):
            # Text about other commands names them.
            others = [other.name for other in ALL if flag in [name for entry in other.flags for name in entry.names]]
            assert flag in own or any(re.search(rf"\b{name}\b", sentence) for name in others), sentence


@pytest.mark.parametrize("name", help.TOPICS)
def test_every_topic_can_be_printed(world: World, name: str) -> None:
    for columns in ("50", "80", "200"):
        result = world.call("help", name, COLUMNS=columns)
        assert (result.status, result.err) == (0, "")
        # A command of that name comes first.
        assert f"{help.topic_title(name)}\n\n" in result.out
        # A path or a command stands on one line, whatever its length.
        text = result.out[result.out.index(help.topic_title(name)) :]
        lines = [line for line in text.splitlines() if "/llamacli/" not in line and "    " not in line]
        assert max(map(len, lines)) <= int(columns)
    assert help.topic_title(name) + "." in world.call("--help").out


@pytest.mark.parametrize("name", help.TOPICS)
def test_a_topic_names_only_flags_that_exist(name: str) -> None:
    known = {name for command in ALL for flag in command.flags for name in flag.names}
    for flag in re.findall(r"(?<![\w-])--[a-z][a-z-]*", "\n".join(help.topic_paragraphs(name))):
        tools = ("--will-cite", "--pipe", "--array")
        assert flag in known or flag in tools, f"{name}.txt names {flag}, which no command has"


def test_topics_end_with_the_programs_own_tables(world: World) -> None:
    statuses = world.call("help", "exit-codes").out
    for status in ExitStatus:
        assert re.search(rf"^{status.value} +{re.escape(status.meaning.split()[0])}", statuses, re.MULTILINE)
    variables = world.call("help", "environment").out
    for flag in [flag for command in ALL for flag in command.flags]:
        assert (flag.flag.variable(flag.field) or "LLAMACLI_KEY_FILE") in variables
    assert str(world.home / ".config" / "llamacli" / ".env") in world.call("help", "files").out
    assert "/retry" in world.call("help", "chat").out


def test_help_on_an_unknown_topic_is_2(world: World) -> None:
    result = world.call("help", "exit-code")
    assert (result.status, result.out) == (2, "")
    assert result.err == "llamacli: no help on 'exit-code'; did you mean 'exit-codes'?\n"
    everything = world.call("help", "nothing-like-it").err
    assert "expected a command (ask, chat, raw" in everything
    words = re.findall(r"[\w-]+", everything.partition("expected")[2])
    assert all(words.count(name) == 1 for name in {*app.COMMANDS, *help.TOPICS})


@pytest.mark.parametrize("arguments", [["--version"], ["ask", "--version"], ["man", "--version"]])
def test_version_goes_to_stdout(world: World, arguments: list[str]) -> None:
    result = world.run(*arguments)
    assert (result.status, result.out, result.err) == (0, f"llamacli {__version__}\n", "")


@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_help_may_come_before_the_command(world: World, flag: str) -> None:
    assert world.call(flag, "batch").out == world.call("batch", flag).out
    assert world.call(flag, "nope").out == world.call(flag).out
    assert (
        world.call("help", "config", "set").err == "llamacli: too many arguments for help; name one command or topic\n"
    )


def test_no_command_is_short_help_on_stderr(world: World) -> None:
    result = world.run()
    assert (result.status, result.out) == (2, "")
    assert result.err.startswith("Usage: llamacli COMMAND")
    assert len(result.err.splitlines()) <= 24
    assert max(map(len, result.err.splitlines())) <= 80
    shown = world.run("-h")
    assert (shown.status, shown.out, shown.err) == (0, result.err, "")
    assert "Topics:" in world.run("--help").out


def test_help_does_not_depend_on_the_environment(world: World) -> None:
    plain = world.call("ask", "--help").out
    assert world.call("ask", "--help", LLAMACLI_MODEL="other", AIMLAPI_BASE_URL="http://x").out == plain
