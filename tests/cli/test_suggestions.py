"""Hints for mistyped commands and options: each row of the tables, and similar words."""

import re

import pytest

from llamacli.cli import app, suggest
from llamacli.cli.docs import help
from tests.support.world import World

ALL = app.commands()
NAMES = {name for command in ALL for flag in command.flags for name in flag.names}


@pytest.mark.parametrize("name", suggest.OPTION_SYNONYMS)
def test_an_option_of_another_tool_gets_its_advice(world: World, name: str) -> None:
    advice = suggest.OPTION_SYNONYMS[name]
    result = world.call("ask", name, "x", "Hi")
    assert (result.status, result.out) == (2, "")
    assert result.err.startswith(f"llamacli: unknown option {name}; ")
    assert advice in result.err
    assert not world.api.requests
    for word in advice.replace(",", "").split():
        assert not word.startswith("--") or word in NAMES, f"{advice!r} names no option"


@pytest.mark.parametrize("topic", suggest.TOPIC_SYNONYMS)
def test_another_word_for_a_topic_gets_its_name(world: World, topic: str) -> None:
    assert topic not in (*app.COMMANDS, *help.TOPICS), f"{topic} has help now; remove its row"
    instead = suggest.TOPIC_SYNONYMS[topic]
    assert instead in help.TOPICS
    assert f"no help on '{topic}'; see 'llamacli help {instead}'" in world.call("help", topic).err


@pytest.mark.parametrize(
    ("word", "hint"),
    [
        ("proxy", "see 'llamacli help environment'"),
        ("overflow", "see 'llamacli help long-input'; --overflow is an option of ask and chat"),
        ("sse", "--sse is an option of raw"),
    ],
)
def test_a_word_without_a_topic_leads_to_where_it_is_explained(world: World, word: str, hint: str) -> None:
    assert world.call("help", word).err == f"llamacli: no help on '{word}'; {hint}\n"


@pytest.mark.parametrize("name", ["config", "sessions"])
@pytest.mark.parametrize("word", sorted({word for words in suggest.ACTION_SYNONYMS.values() for word in words.split()}))
def test_another_word_for_an_action_gets_its_name(world: World, name: str, word: str) -> None:
    actions = app.command(name).operands[0].type.values
    instead = [action for action in actions if word in suggest.ACTION_SYNONYMS.get(action, "").split()]
    if word not in actions and instead:
        assert world.call(name, word).err == f"llamacli: unknown action '{word}'; did you mean '{instead[0]}'?\n"


def test_synonyms_are_of_actions_that_exist() -> None:
    values = [app.command(name).operands[0].type.values for name in ("config", "sessions")]
    assert suggest.ACTION_SYNONYMS.keys() <= {action for actions in values for action in actions}


@pytest.mark.parametrize("flag", ["-max-tokens", "-model", "-temperature=0", "-json", "-file"])
def test_a_long_option_with_one_dash_is_2(world: World, flag: str) -> None:
    name = flag.partition("=")[0]
    result = world.call("ask", flag, "5", "Hi")
    assert (result.status, result.err) == (2, f"llamacli: unknown option {name}; did you mean -{name}?\n")
    assert not world.api.requests


def test_a_value_or_an_operand_may_look_like_an_option_with_one_dash(world: World) -> None:
    assert world.call("ask", "--stop", "-file", "--", "-model", "Hi").status == 0
    assert (world.api.body["stop"], world.api.prompt) == (["-file"], "-model Hi")


@pytest.mark.parametrize("name", suggest.COMMAND_SYNONYMS)
def test_a_command_of_another_tool_gets_its_advice(world: World, name: str) -> None:
    assert name not in app.COMMANDS, f"{name} is a command now; remove its row"
    instead = suggest.COMMAND_SYNONYMS[name]
    result = world.call(name)
    assert (result.status, result.out) == (2, "")
    assert f"unknown command '{name}'; did you mean 'llamacli {instead}'?" in result.err
    command, *words = instead.split()
    assert command in app.COMMANDS or command == "--version"
    assert command != "help" or all(word in help.TOPICS for word in words)
    assert command != "config" or all(word in app.command("config").operands[0].type.values for word in words)


@pytest.mark.parametrize(
    ("arguments", "advice"),
    [
        (["raw", "-s", "x"], "-s belongs to ask, chat and batch"),
        (["ask", "--shard", "1/3"], "--shard belongs to batch"),
        (["raw", "--workers", "3"], "--jobs of ask and batch does that"),
        (["batch", "--workers", "3"], "did you mean --jobs?"),
        (["ask", "--temprature", "1"], "did you mean --temperature?"),
        (["ask", "--max_tokens", "1"], "did you mean --max-tokens?"),
        (["ask", "--presence", "1"], "did you mean --presence-penalty?"),
        (["ask", "--apikey", "x"], "keys are never flags"),
        (["ask", "--API_KEY", "x"], "keys are never flags"),
        (["ask", "--maxretries", "3"], "did you mean --retry?"),
        (
            ["ask", "--frobnicate"],
            "see 'llamacli ask --help'; a prompt that begins with a dash goes after --: llamacli ask -- --frobnicate",
        ),
        (["ask", "-5", "+", "3"], "a prompt that begins with a dash goes after --: llamacli ask -- -5 ..."),
        (["-m", "gpt", "ask", "Hi"], "put options after it: llamacli COMMAND -m"),
        (["ask", "-m"], "-m needs a value"),
        (["ask", "--stream=false"], "--stream takes no value; to turn it off: --no-stream"),
        (["ask", "--json=1"], "--json takes no value\n"),
        (["man", "x"], "too many arguments for man; see: llamacli help man"),
        (["modles"], "did you mean 'llamacli models'? To ask the model: llamacli ask modles"),
        (["why is it?"], "unknown command 'why is it?'; to ask the model: llamacli ask 'why is it?'"),
        (["why", "is", "the", "sky", "blue?"], "to ask the model: llamacli ask why is the sky 'blue?'"),
        (["whoami", "sk-0123456789abcdef"], "to ask the model: llamacli ask whoami ...\n"),
        (["setkey", "sk-0123456789abcdef"], "llamacli ask setkey ...\n"),
        (["ASK", "hi"], "did you mean 'llamacli ask'?"),
        (["ask", "--Model", "m"], "did you mean --model?"),
        (["help", "ASK"], "did you mean 'ask'?"),
        (["completion", "BASH"], "did you mean 'bash'?"),
        (["help", "sesions"], "did you mean 'sessions'?"),
        (["help", "long"], "did you mean 'long-input'?"),
        (["help", "exit"], "did you mean 'exit-codes'?"),
        (["config", "model", "gpt-4o"], "did you mean 'config set model VALUE'?"),
        (["config", "max_tokens", "9"], "did you mean 'config set max_tokens VALUE'?"),
        (["config", "sohw"], "did you mean 'show'?"),
        (["sessions", "zzz"], "expected list, show, last, grep or rm"),
        (["completion", "powershell"], "expected bash, zsh or fish"),
        (["sessions", "-a"], "-a belongs to models and config"),
        (["models", "-P", "x"], "-P belongs to ask, chat and batch"),
    ],
)
def test_similar_words_are_suggested(world: World, arguments: list[str], advice: str) -> None:
    result = world.call(*arguments)
    assert (result.status, result.out) == (2, "")
    assert advice in result.err
    assert result.err.count("\n") == 1


@pytest.mark.parametrize("flag", ["-m", "-f", "-o", "--ca-bundle", "--key-file", "--model=", "-m ", "--stop"])
def test_an_empty_or_blank_value_is_2_and_names_the_option(world: World, flag: str) -> None:
    arguments = [flag] if flag.endswith("=") else [flag.strip(), flag[2:] if flag.endswith(" ") else ""]
    result = world.call("ask", *arguments, "Hi")
    assert (result.status, result.out) == (2, "")
    assert re.search("(: the value|'') is empty; is a variable unset[?]", result.err)
    assert result.err.startswith("llamacli: --")
    assert not world.api.requests


@pytest.mark.parametrize(
    ("command", "value"),
    [
        ("ask -m -q Hi", "-m-q"),
        ("ask --model --quiet Hi", "--model=--quiet"),
        ("ask -o -- Hi", "-o--"),
        ("ask --stop --stop a Hi", "--stop=--stop"),
        ("ask --temperature -m m Hi", "--temperature=-m"),
        ("chat -S -c Hi", "-S-c"),
        ("raw -F -i", "-F-i"),
        ("batch -o --resume Hi", "-o--resume"),
        ("ask -m --help", "-m--help"),
    ],
)
def test_an_option_is_not_taken_for_the_value_of_another(world: World, command: str, value: str) -> None:
    words = command.split()
    result = world.call(*words)
    expected = f"{words[1]} needs a value, not {words[2]}; is a variable unset? if not, use {value}"
    assert (result.status, result.out, result.err) == (2, "", f"llamacli: {expected}\n")
    assert not world.api.requests


def test_a_value_may_look_like_an_option_if_it_is_joined_to_it(world: World) -> None:
    assert world.call("ask", "--model=-q", "--stop=--", "-s-x", "-t", "-0", "Hi").status == 0
    body = world.api.body
    assert (body["model"], body["stop"], body["messages"][0]["content"]) == ("-q", ["--"], "-x")


@pytest.mark.parametrize("command", ["batch {}", "usage", "sessions show"])
def test_an_empty_operand_is_2_and_named(world: World, command: str) -> None:
    result = world.call(*command.split(), "")
    assert (result.status, result.out) == (2, "")
    assert re.fullmatch("llamacli: (FILE|NAME): the value is empty; is a variable unset[?]\n", result.err)


@pytest.mark.parametrize("name", ["temperature", "max-tokens", "max_tokens", "seed"])
def test_an_output_file_with_the_name_of_a_parameter_is_refused(world: World, name: str) -> None:
    result = world.call("ask", "-o", name, "0.5", "Hi")
    assert (result.status, result.out) == (2, "")
    assert result.err.startswith(f"llamacli: -o {name} names the output file, not the parameter; use --")
    assert not world.api.requests
    assert world.call("ask", "-o", f"./{name}", "Hi").status == 0
    assert world.call("ask", "-o", name, "Hi").status == 0


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        (["ask", "--schema", "person.json", "Hi"], "--schema"),
        (["ask", "--tools", "person.json", "Hi"], "--tools"),
        (["ask", "--messages", "person.json", "Hi"], "--messages"),
        (["raw", "person.json"], "BODY"),
    ],
)
def test_json_that_is_a_file_is_pointed_out(world: World, arguments: list[str], name: str) -> None:
    (world.cwd / "person.json").write_text('{"type": "object"}')
    result = world.call(*arguments)
    assert (result.status, world.api.requests) == (2, [])
    assert result.err == f"llamacli: {name}: 'person.json' is a file; write @person.json to read it\n"
