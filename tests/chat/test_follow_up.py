"""`ask -c` and `chat -c` after an `ask` at a terminal, and tools that a shell loop runs."""

from __future__ import annotations

import json
import os
import shutil
import stat
from pathlib import Path

import pytest

from llamacli.cli.docs.help import topic_paragraphs
from tests.support.fake_api import HELLO, Handler, answer, error, respond, text
from tests.support.terminal import Terminal
from tests.support.world import POWERLESS, PROGRAM, World

ASK = " ".join([*PROGRAM, "ask"])
CHAT = " ".join([*PROGRAM, "chat"])


def folder(world: World) -> Path:
    return world.home / ".local" / "state" / "llamacli" / "sessions"


def sessions(world: World) -> list[Path]:
    return sorted(folder(world).iterdir()) if folder(world).exists() else []


def contents(world: World) -> list[str]:
    return [message["content"] for message in world.api.body["messages"]]


def at_terminal(world: World, script: str, **env: str) -> str:
    """Runs a script in one login session, on a terminal, and returns what was shown."""
    with Terminal(world, "bash", "-c", script, NO_COLOR="1", **env) as terminal:
        terminal.wait(30)
        return terminal.shown


def test_questions_at_a_terminal_are_one_conversation(world: World) -> None:
    script = f"{ASK} -s 'Be brief.' name a river; {ASK} -c and another; {CHAT} -c and a third; {ASK} -c the last"
    shown = at_terminal(world, script)
    asked = ["name a river", "and another", "and a third", "the last"]
    assert contents(world) == ["Be brief.", asked[0], HELLO, asked[1], HELLO, asked[2], HELLO, asked[3]], shown
    [path] = sessions(world)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(folder(world).stat().st_mode) == 0o700
    # Another terminal has its own conversation.
    other = at_terminal(world, f"{ASK} -c 'what did I ask?'; echo status $?")
    assert (
        f"nothing has been asked in this terminal yet; to continue the latest session: llamacli chat -S {path.stem}"
        in other
    )
    assert "status 2" in other
    assert len(world.api.requests) == 4


@pytest.mark.parametrize(
    ("command", "env", "count"),
    [
        (f"{ASK} Hi", {}, 1),
        (f"{ASK} Hi | cat", {}, 0),
        (f"{ASK} --save Hi | cat", {}, 1),
        (f"{ASK} --no-save Hi", {}, 0),
        (f"{ASK} Hi", {"LLAMACLI_SAVE": "0"}, 0),
        (f"{ASK} --save Hi", {"LLAMACLI_SAVE": "0"}, 1),
        (f"{ASK} Hi | cat", {"LLAMACLI_SAVE": "1"}, 1),
        (f"{CHAT} Hi", {"LLAMACLI_SAVE": "0"}, 0),
        (f"{ASK} -n 2 Hi", {}, 0),
        (f"{ASK} --dry-run Hi", {}, 0),
        (f"{ASK} --json Hi", {}, 1),
        (f"{ASK} -o out Hi", {}, 1),
        (f"{ASK} --choice a,b Hi", {}, 0),
        (f"echo Hi | {ASK}", {}, 1),
    ],
)
def test_which_questions_are_saved(world: World, command: str, env: dict[str, str], count: int) -> None:
    shown = at_terminal(world, command, **env)
    assert len(sessions(world)) == count, shown
    for path in sessions(world):
        assert [json.loads(line)["content"] for line in path.read_text().splitlines()] == ["Hi", HELLO]


def test_a_cut_answer_is_saved_and_a_failed_one_is_not(world: World) -> None:
    world.api.will(error(500, "no"), text("cut sho", finish="length"))
    at_terminal(world, f"{ASK} one; {ASK} two")
    [path] = sessions(world)
    assert [json.loads(line)["content"] for line in path.read_text().splitlines()] == ["two", "cut sho"]


@pytest.mark.skipif(os.geteuid() == 0 and not shutil.which("setpriv"), reason="nothing keeps root from writing")
def test_a_read_only_folder_loses_no_answer(world: World) -> None:
    folder(world).mkdir(parents=True)
    folder(world).chmod(0o500)
    shown = at_terminal(world, f"{' '.join(POWERLESS)} {ASK} Hi; echo status $?")
    assert "cannot save the turn" in shown
    assert "status 0" in shown


def test_an_unwritable_state_folder_loses_no_answer(world: World) -> None:
    (world.home / ".local").write_text("in the way")
    shown = at_terminal(world, f"{ASK} Hi; echo status $?")
    assert HELLO in shown.replace("\r\n", "")
    assert "llamacli: cannot save the turn in" in shown
    assert "use --no-save to turn saving off" in shown
    assert "status 0" in shown


def test_old_unnamed_sessions_are_pruned(world: World) -> None:
    folder(world).mkdir(parents=True)
    for number in range(5):
        for name in (f"2026-01-0{number + 1}-120000", f"mine{number}"):
            path = folder(world) / f"{name}.jsonl"
            path.write_text('{"role": "user", "content": "x"}\n')
            os.utime(path, (number, number))
    assert world.call("ask", "--save", "--keep", "3", "Hi").status == 0
    names = [path.stem for path in sessions(world)]
    assert [name for name in names if name.startswith("2026-01")] == ["2026-01-04-120000", "2026-01-05-120000"]
    assert [name for name in names if name.startswith("mine")] == [f"mine{number}" for number in range(5)]
    assert world.call("chat", "Hi", LLAMACLI_KEEP="1").status == 0
    assert len(sessions(world)) == 6


def test_a_clock_that_was_ahead_costs_no_new_session(world: World) -> None:
    folder(world).mkdir(parents=True)
    for number in range(3):
        path = folder(world) / f"2036-01-0{number + 1}-120000.jsonl"
        path.write_text('{"role": "user", "content": "x"}\n')
        os.utime(path, (2e9, 2e9))
    for command in (["ask", "--save"], ["chat"]):
        assert world.call(*command, "--keep", "2", "Hi").status == 0
        newest = max(sessions(world), key=lambda path: path.stat().st_ctime_ns)
        assert [json.loads(line)["content"] for line in newest.read_text().splitlines()] == ["Hi", HELLO]
        assert len(sessions(world)) == 3


def test_save_cannot_be_combined_with_n(world: World) -> None:
    result = world.call("ask", "--save", "-n", "2", "Hi")
    assert (result.status, result.out) == (2, "")
    assert "--save cannot be combined with --n or --param messages" in result.err
    assert world.call("ask", "-c", "-n", "2", "Hi").status == 2
    assert not world.api.requests


CALLS = [
    {"id": "c1", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Rome"}'}},
    {"id": "c2", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Oslo"}'}},
]
TOOLS = '[{"type": "function", "function": {"name": "weather", "parameters": {}}}]'


def tools(handler: Handler) -> None:
    """Calls tools until they have answered; refuses messages that OpenAI's API would refuse."""
    waiting: list[str] = []
    messages = handler.asked.json["messages"]
    for message in messages:
        if message["role"] == "tool":
            if message["tool_call_id"] not in waiting:
                return error(400, "a tool message without its call")(handler)
            waiting.remove(message["tool_call_id"])
        elif waiting:
            return error(400, "a tool call without its result")(handler)
        waiting += [call["id"] for call in message.get("tool_calls") or []]
    if messages[-1]["role"] != "tool":
        return answer(None, tool_calls=CALLS, finish="tool_calls")(handler)
    return answer("; ".join(message["content"] for message in messages if message["role"] == "tool"))(handler)


#: The example of `llamacli help chat`.
LOOP = next(text for text in topic_paragraphs("chat") if text.startswith("    ") and "--tool-result" in text)


def test_a_shell_loop_runs_tools(world: World) -> None:
    world.api.will(tools)
    (world.cwd / "tools.json").write_text(TOOLS)
    result = world.shell(LOOP)
    assert (result.status, result.out, result.err) == (0, "sunny in Rome; sunny in Oslo\n", "")
    assert [message["role"] for message in world.api.body["messages"]] == ["user", "assistant", "tool", "tool"]
    # The conversation continues, and the whole turn can be sent again.
    world.api.will(respond)
    assert world.call("chat", "-I", "-S", "trip", "Thanks").status == 0
    roles = ["user", "assistant", "tool", "tool", "assistant", "user"]
    assert [message["role"] for message in world.api.body["messages"]] == roles
    turns = {json.loads(line)["meta"]["turn"] for line in (folder(world) / "trip.jsonl").read_text().splitlines()[:5]}
    assert len(turns) == 1


def test_a_result_may_come_from_a_file_and_name_the_tool(world: World) -> None:
    (world.cwd / "result").write_text("from a file\n")
    world.api.will(answer(None, tool_calls=CALLS[:1], finish="tool_calls"))
    world.call("chat", "-S", "x", "--tools", TOOLS, "Weather?")
    world.api.will(tools)
    result = world.call("chat", "-S", "x", "--tools", TOOLS, "--tool-result", "weather=@result", "In short?")
    # A message of the user's may follow the results.
    assert [(m["role"], m.get("content")) for m in world.api.body["messages"]][2:] == [
        ("tool", "from a file"),
        ("user", "In short?"),
    ], result.err


@pytest.mark.parametrize(
    ("results", "problem"),
    [
        (["c1=x"], "--tool-result: no result for tool call 'c2'; give one for each of c1, c2"),
        (["c1=x", "c2=y", "c3=z"], "--tool-result: the last answer has no tool call 'c3'; its calls are c1, c2"),
        (["weather=x"], "--tool-result: the last answer has no tool call 'weather'"),
        (["c1"], "--tool-result: 'c1' is not ID=TEXT|@FILE"),
        (["c1=@none", "c2=x"], "none: No such file"),
    ],
)
def test_results_must_match_the_calls(world: World, results: list[str], problem: str) -> None:
    world.api.will(tools)
    assert world.call("chat", "-S", "x", "--tools", TOOLS, "Weather?").status == 0
    flags = [word for result in results for word in ("--tool-result", result)]
    result = world.call("chat", "-S", "x", *flags)
    assert (result.status, result.out, result.err.count("\n")) == (2, "", 1)
    assert problem in result.err
    assert len(world.api.requests) == 1


def test_results_need_tool_calls(world: World) -> None:
    for name in ("new", "old"):
        world.call("chat", "-S", "old", "Hi")
        result = world.call("chat", "-S", name, "--tool-result", "c1=x")
        assert (result.status, result.out) == (2, "")
        assert "--tool-result: the last answer has no tool calls" in result.err


@pytest.mark.parametrize("name", [["weather"], {"x": 1}, 5])
def test_a_call_may_have_any_name_and_id(world: World, name: object) -> None:
    call = {"id": [1], "type": "function", "function": {"name": name, "arguments": "{}"}}
    world.api.will(answer(None, tool_calls=[call]))
    assert world.call("chat", "-S", "x", "--tools", TOOLS, "Weather?").status == 0
    world.api.will(answer("Sunny."))
    result = world.call("chat", "-S", "x", "--tool-result", f"{name}=x")
    assert (result.status, result.out) == (0, "Sunny.\n"), result.err
