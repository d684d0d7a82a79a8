"""`chat`, one turn per call, and `sessions`."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from llamacli.commands.chat import NO_LOGIN
from tests.support.fake_api import (
    HELLO,
    KEY,
    Behavior,
    answer,
    completion,
    delta,
    document,
    error,
    event,
    raw,
    stream,
    text,
)
from tests.support.world import PROGRAM, Result, World


def folder(world: World) -> Path:
    return world.home / ".local" / "state" / "llamacli" / "sessions"


def entries(world: World, name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder(world) / f"{name}.jsonl").read_text().splitlines()]


def chat(world: World, *arguments: str, stdin: str | None = None) -> Result:
    return world.call("chat", *arguments, stdin=stdin)


def test_the_second_turn_contains_the_first_without_meta(world: World) -> None:
    first = chat(world, "-S", "review", "-s", "Be brief.", "What is this?", stdin="a file\n")
    assert (first.status, first.out, first.err) == (0, HELLO + "\n", "")
    assert chat(world, "-S", "review", "and", "then?").status == 0
    assert world.api.body["messages"] == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "What is this?\n\na file"},
        {"role": "assistant", "content": HELLO},
        {"role": "user", "content": "and then?"},
    ]
    assert "stream_options" not in world.api.body
    lines = entries(world, "review")
    assert [line["role"] for line in lines] == ["system", "user", "assistant", "user", "assistant"]
    assert lines[1]["meta"]["turn"] == lines[2]["meta"]["turn"] != lines[3]["meta"]["turn"]
    assert KEY not in (folder(world) / "review.jsonl").read_text()


def test_the_model_and_the_parameters_are_not_part_of_the_conversation(world: World) -> None:
    chat(world, "-S", "x", "-m", "other", "-t", "0.5", "Hi")
    chat(world, "-S", "x", "Ho")
    assert world.api.body["model"] != "other"
    assert "temperature" not in world.api.body


ODD_ANSWERS = {
    "NaN in the usage": ('"prompt_tokens": 67', '"prompt_tokens": 67, "x": NaN'),
    "a number too big": ('"prompt_tokens": 67', '"prompt_tokens": 67, "x": 1e999'),
    "an integer too long": ('"prompt_tokens": 67', '"prompt_tokens": 67, "x": ' + "9" * 5000),
    "deep usage": ('"prompt_tokens": 67', '"prompt_tokens": 67, "x": ' + "[" * 99 + "]" * 99),
    "very deep usage": ('"prompt_tokens": 67', '"prompt_tokens": 67, "x": ' + "[" * 900 + "]" * 900),
    "NaN in a tool call": (
        '"tool_calls": []',
        '"tool_calls": [{"id": "c", "x": NaN, "function": {"name": "f", "arguments": "{}"}}]',
    ),
    "a deep part": (
        '"content": "Fine."',
        '"content": [{"type": "text", "text": "Fine.", "x": ' + "[" * 200 + "]" * 200 + "}]",
    ),
    "the role of a user": ('"role": "assistant"', '"role": "user"'),
    "the role of a model": ('"role": "assistant"', '"role": "model"'),
}


@pytest.mark.parametrize("odd", ODD_ANSWERS)
def test_whatever_a_server_sends_can_be_read_again(world: World, odd: str) -> None:
    old, new = ODD_ANSWERS[odd]
    body = json.dumps(completion("Fine."))
    assert old in body
    world.api.will(document(body.replace(old, new).encode()))
    assert chat(world, "-S", "x", "--no-stream", "Hi").status == 0
    world.api.will(text("Two."))
    result = chat(world, "-S", "x", "again")
    assert (result.status, result.err) == (0, "")
    assert [message["role"] for message in world.api.body["messages"]] == ["user", "assistant", "user"]
    assert "Fine." in json.dumps(world.api.body["messages"][1])


def test_a_system_message_is_sent_once_and_replaced(world: World) -> None:
    for system in ("One.", "One.", "Two."):
        chat(world, "-S", "x", "-s", system, "Hi")
    assert [m["content"] for m in world.api.body["messages"] if m["role"] == "system"] == ["Two."]
    assert [line["content"] for line in entries(world, "x") if line["role"] == "system"] == ["Two."]


BROKEN: list[tuple[Behavior, int]] = [
    (error(429, "slow down"), 6),
    (error(500, "no"), 7),
    (stream([event(delta("half"))], then="cut"), 9),
    (stream([event(delta("half"))], then="reset"), 9),
    (document(b"{"), 9),
    (raw(b""), 8),
    (text("bad words", finish="content_filter"), 11),
    (answer(None, refusal="No."), 11),
    (answer(""), 9),
]


@pytest.mark.parametrize(("behavior", "status"), BROKEN)
def test_a_failed_turn_changes_nothing(world: World, behavior: Behavior, status: int) -> None:
    assert chat(world, "-S", "x", "one").status == 0
    before = (folder(world) / "x.jsonl").read_bytes()
    world.api.will(behavior)
    result = chat(world, "-S", "x", "two")
    assert (result.status, result.err.count("\n")) == (status, 1)
    assert (folder(world) / "x.jsonl").read_bytes() == before
    world.api.will(text("Three."))
    assert chat(world, "-S", "x", "three").status == 0
    assert [m["content"] for m in world.api.body["messages"]] == ["one", HELLO, "three"]


def test_a_failed_first_turn_leaves_no_session(world: World) -> None:
    world.api.will(error(500, "no"))
    assert chat(world, "Hi").status == 7
    assert list(folder(world).iterdir()) == []


def test_a_cut_answer_is_part_of_the_conversation(world: World) -> None:
    world.api.will(text("cut sho", finish="length"))
    assert chat(world, "-S", "x", "Hi").status == 10
    assert [line["content"] for line in entries(world, "x")] == ["Hi", "cut sho"]
    assert chat(world, "-S", "x", "--allow-truncated", "Ho").status == 0


def test_an_empty_cut_answer_is_not_saved(world: World) -> None:
    world.api.will(answer("", finish="length"))
    assert chat(world, "-S", "x", "Hi").status == 10
    assert not (folder(world) / "x.jsonl").exists()


def test_a_saved_answer_can_be_sent_again(world: World) -> None:
    call = {"id": "c", "type": "function", "function": {"name": "get_weather", "arguments": "{}"}}
    world.api.will(answer(None, finish="tool_calls", tool_calls=[call], refusal=None, reasoning_content="hm", audio=1))
    assert chat(world, "-S", "x", "Hi").status == 0
    line = entries(world, "x")[1]
    assert {key: value for key, value in line.items() if key != "meta"} == {
        "role": "assistant",
        "content": None,
        "tool_calls": [call],
    }
    world.api.will(answer("plain"))
    chat(world, "-S", "y", "Hi")
    assert {key for key in entries(world, "y")[1] if key != "meta"} == {"role", "content"}


def test_an_unanswered_tool_call_is_sent_as_text(world: World) -> None:
    call = {"id": "c", "type": "function", "function": {"name": "get_weather", "arguments": '{"city": "Rome"}'}}
    world.api.will(answer(None, finish="tool_calls", tool_calls=[call]))
    chat(world, "-S", "x", "Weather?")
    chat(world, "-S", "x", "It rains.")
    assert world.api.body["messages"][1] == {
        "role": "assistant",
        "content": '{"id":"c","name":"get_weather","arguments":{"city":"Rome"}}',
    }
    # If a tool message answers it, it is sent unchanged.
    lines = entries(world, "x")[:2]
    lines.append({"role": "tool", "tool_call_id": "c", "content": "rain"})
    (folder(world) / "y.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    chat(world, "-S", "y", "And?")
    assert world.api.body["messages"][1]["tool_calls"] == [call]


def test_continue_finds_its_turn_among_others_and_after_a_torn_line(world: World) -> None:
    program = " ".join(PROGRAM)
    script = (
        f"{program} chat -I -S old one; sleep 1; {program} chat -I -S shared two;"
        f"printf '{{' >>{folder(world)}/shared.jsonl;"
        f"setsid {program} chat -I -S shared three; setsid {program} chat -I -S old four;"
        f" {program} chat -I -c five; {program} sessions show shared --json"
    )
    done = subprocess.run(
        ["bash", "-c", script], start_new_session=True, env=world.env, capture_output=True, check=False
    )
    messages = json.loads(done.stdout.splitlines()[-1])
    assert [m["content"] for m in messages if m["role"] == "user"] == ["two", "three", "five"], done.stderr


def test_continue_continues_the_last_session_of_this_login(world: World) -> None:
    one = {"start_new_session": True, "env": world.env, "capture_output": True, "check": False}
    program = " ".join(PROGRAM)
    script = f"{program} chat -I one; {program} chat -I -S other two; {program} chat -I -c three; {program} sessions"
    done = subprocess.run(["bash", "-c", script], **one)  # type: ignore[call-overload]
    assert done.returncode == 0, done.stderr
    assert [m["content"] for m in world.api.body["messages"]] == ["two", HELLO, "three"]
    rows = [line.split("\t") for line in done.stdout.decode().splitlines() if "\t" in line]
    assert [(row[1], row[3]) for row in rows] == [("2", "two"), ("1", "one")]
    assert rows[0][0] == "other"
    # Another login session has no conversation.
    elsewhere = subprocess.run([*PROGRAM, "chat", "-I", "-c", "four"], **one)  # type: ignore[call-overload]
    assert (elsewhere.returncode, elsewhere.stdout) == (2, b"")
    assert (
        b"nothing has been asked in this terminal yet; to continue the latest session: llamacli chat -S other"
        in elsewhere.stderr
    )


def test_continue_fails_if_the_login_session_is_unknown(world: World) -> None:
    program, shown = " ".join(PROGRAM), world.cwd / "shown"
    # The leader ends at once, and the calls continue in its session.
    calls = f"while [ -e /proc/$$ ]; do sleep 0.01; done; {program} chat -I one; {program} chat -I -c two"
    script = ["bash", "-c", 'setsid bash -c "$0"; :', f"({calls}) 2>{shown} &"]
    subprocess.run(script, env=world.env, capture_output=True, check=True, timeout=30, stdin=subprocess.DEVNULL)
    said = f"{NO_LOGIN}; to continue the latest session: "
    assert shown.read_text().count(said) == 1
    assert len(world.api.requests) == 1


def test_no_save_continues_a_session_without_changing_it(world: World) -> None:
    assert chat(world, "--no-save", "Hi").status == 0
    assert not folder(world).exists()
    chat(world, "-S", "x", "one")
    before = (folder(world) / "x.jsonl").read_bytes()
    assert chat(world, "-S", "x", "--no-save", "two").status == 0
    assert len(world.api.body["messages"]) == 3
    assert (folder(world) / "x.jsonl").read_bytes() == before


def test_keep_turns_limits_what_is_sent_and_says_so(world: World) -> None:
    chat(world, "-S", "x", "-s", "Be brief.", "one")
    for prompt in ("two", "three"):
        chat(world, "-S", "x", prompt)
    result = chat(world, "-S", "x", "--keep-turns", "1", "four")
    assert (result.status, result.err) == (0, "llamacli: sending the last 1 of 3 turns\n")
    assert [m["content"] for m in world.api.body["messages"]] == ["Be brief.", "three", HELLO, "four"]
    assert len(entries(world, "x")) == 9
    result = chat(world, "-S", "x", "--keep-turns", "4", "five")
    assert (len(world.api.body["messages"]), result.err) == (10, "")


def test_a_conversation_that_is_too_long_is_one_line_of_error(world: World) -> None:
    chat(world, "-S", "x", "one")
    world.api.will(error(400, "the request exceeds the available context size, try increasing it"))
    result = chat(world, "-S", "x", "two")
    assert (result.status, result.out, result.err.count("\n")) == (4, "", 1)
    assert result.err.startswith("llamacli: 2 turns of 101 characters are too long for the model: 400 ")
    assert "; send fewer with --keep-turns N" in result.err
    # If the first message is too long, dropping turns does not help.
    assert "turns" not in chat(world, "one").err


@pytest.mark.parametrize("name", ["../x", ".x", "-x", "x/y", "", "x" * 65, "\u00e9", "x y", "x\n"])
def test_a_session_name_must_be_a_safe_file_name(world: World, name: str) -> None:
    for arguments in (
        ["chat", f"--session={name}", "Hi"],
        ["sessions", "show", "--", name],
        ["sessions", "rm", "--", name],
    ):
        result = world.run(*arguments)
        assert (result.status, result.out, result.err.count("\n")) == (2, "", 1)
        assert ("letters, digits, '.', '_', '-', at most 64" if name else "the value is empty") in result.err
    assert world.api.requests == []


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["-S", "x", "-c", "Hi"], "--session and --continue cannot be combined"),
        (["-n", "2", "Hi"], "--n above 1 cannot be used in a conversation"),
        (["-p", 'messages="x"', "Hi"], "--param messages cannot be used in a conversation"),
        (["-p", "n=2", "Hi"], "--n above 1 cannot be used in a conversation"),
        (["--keep-turns", "-1", "Hi"], "--keep-turns: '-1' is out of range"),
        ([], "nothing to ask"),
    ],
)
def test_usage_errors_send_nothing(world: World, arguments: list[str], problem: str) -> None:
    result = chat(world, *arguments)
    assert (result.status, result.out, result.err.count("\n")) == (2, "", 1)
    assert problem in result.err
    assert world.api.requests == []


def test_the_options_of_ask_work_in_chat(world: World) -> None:
    result = chat(world, "-S", "x", "--json", "-t", "0", "Hi")
    assert json.loads(result.out) == completion()
    assert [line["content"] for line in entries(world, "x")] == ["Hi", HELLO]
    assert chat(world, "-S", "x", "-o", "out", "-u", "Ho").status == 0
    assert (world.cwd / "out").read_text() == HELLO + "\n"
    shown = chat(world, "-S", "x", "--dry-run", "again")
    assert [m["content"] for m in json.loads(shown.out)["messages"]] == ["Hi", HELLO, "Ho", HELLO, "again"]
    assert chat(world, "-S", "x", "--curl", "again").out.startswith("printf %s ")
    assert len(entries(world, "x")) == 4


def test_a_closed_pipe_is_141_and_the_turn_is_not_saved(world: World) -> None:
    world.api.will(stream([event(delta("line\n"))] * 40 + [event(delta(finish="stop"))], pause=0.01))
    result = world.shell("llamacli chat -I -S x Hi | head -1; exit ${PIPESTATUS[0]}")
    assert (result.status, result.out, result.err) == (141, "line\n", "")
    assert not (folder(world) / "x.jsonl").exists()


def test_an_unwritable_state_folder_is_an_error_before_anything_is_sent(world: World) -> None:
    (world.home / ".local").write_text("in the way")
    result = chat(world, "Hi")
    assert (result.status, result.out, result.err.count("\n")) == (74, "", 1)
    assert "use --no-save to continue without saving" in result.err
    assert world.api.requests == []
    assert chat(world, "--no-save", "Hi").status == 0


def test_a_session_that_is_a_link_into_a_missing_folder_is_an_error_before_anything_is_sent(world: World) -> None:
    folder(world).mkdir(parents=True)
    (folder(world) / "x.jsonl").symlink_to(world.cwd / "missing" / "x")
    result = chat(world, "-S", "x", "Hi")
    assert (result.status, result.out, world.api.requests) == (74, "", [])
    assert f"cannot save the conversation in {world.cwd}/missing: No such file" in result.err
    (world.cwd / "missing").mkdir()
    assert chat(world, "-S", "x", "Hi").status == 0
    assert (world.cwd / "missing" / "x").exists()


def test_concurrent_unnamed_sessions_get_different_names(world: World) -> None:
    command = [*PROGRAM, "chat", "-I", "Hi"]
    running = [subprocess.Popen(command, env=world.env, stdout=subprocess.DEVNULL) for _ in range(20)]
    assert {each.wait(120) for each in running} == {0}
    assert len(list(folder(world).iterdir())) == 20


CUSTOM = {"id": "t1", "type": "custom", "custom": {"name": "grep", "input": "-r x"}}


@pytest.mark.parametrize(
    "calls",
    [[CUSTOM], [{"id": "t1", "type": "x"}], [{"type": "function", "function": None}], [{"function": {"name": 7}}], "x"],
)
def test_every_accepted_answer_can_be_read_again(world: World, calls: Any) -> None:
    world.api.will(answer("See:", tool_calls=calls))
    first = chat(world, "-S", "x", "--no-stream", "one")
    if first.status:
        assert not (folder(world) / "x.jsonl").exists()
        return
    world.api.will(text("Two."))
    second = chat(world, "-S", "x", "two")
    assert (second.status, second.out, second.err) == (0, "Two.\n", "")
    shown = world.run("sessions", "show", "x")
    assert (shown.status, shown.err) == (0, "")
    assert ("grep" in shown.out) == (calls == [CUSTOM])
