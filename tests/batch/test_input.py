"""`batch`: lines and records to the requests that are sent."""

import json
import os
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llamacli.batch.input.files import split_lines
from llamacli.batch.input.items import Items, Template
from llamacli.batch.input.records import InputFile
from llamacli.batch.options import INPUT_FORMATS
from llamacli.errors import LlamaError
from llamacli.stdio.input import InputReader
from llamacli.stdio.text import CONVERSION_HINTS, picture_type
from tests.support.batches import asked, contents, errors, rows, start
from tests.support.fake_api import echo
from tests.support.world import World


@pytest.fixture(autouse=True)
def echoes(world: World) -> None:
    world.api.will(echo)


@pytest.mark.parametrize(
    ("template", "sent"),
    [
        ([], ["a", "b c"]),
        (["-"], ["a", "b c"]),
        (["Say {}!"], ["Say a!", "Say b c!"]),
        (["{} and {}"], ["a and a", "b c and b c"]),
        (["Say it:"], ["Say it:\n\na", "Say it:\n\nb c"]),
        (["{{}} is {{{}}}"], ["{} is {a}", "{} is {b c}"]),
        (["{{}}"], ["{}\n\na", "{}\n\nb c"]),
    ],
)
def test_a_template_takes_the_line(world: World, template: list[str], sent: list[str]) -> None:
    result = world.call("batch", *template, stdin="a\nb c\n")
    assert result.status == 0, result.err
    assert contents(result) == [f"re: {text}" for text in sent]
    assert sorted(asked(world)) == sorted(sent)


def test_only_lf_ends_a_line(world: World) -> None:
    given = "\ufeffone\r\n\n  \r\n two \u2028\x85\x0b\nthree"
    result = world.call("batch", stdin=given)
    assert [(row["index"], row["input"]) for row in rows(result.out)] == [
        (0, "one"),
        (1, " two \u2028\x85\x0b"),
        (2, "three"),
    ]


def test_files_are_read_in_order_and_their_names_imply_the_format(world: World) -> None:
    (world.cwd / "a.txt").write_text("one\ntwo")
    (world.cwd / "b.jsonl").write_text('{"prompt": "three"}\n')
    (world.cwd / "c.CSV").write_text("id,prompt\n7,four\n")
    (world.cwd / "d.tsv").write_text("prompt\tid\nfive\tx\n")
    result = world.call("batch", "-", "a.txt", "b.jsonl", "-", "c.CSV", "d.tsv", stdin="from stdin\n")
    assert contents(result) == ["re: one", "re: two", "re: three", "re: from stdin", "re: four", "re: five"]
    assert [row["index"] for row in rows(result.out)] == list(range(6))
    assert [row["id"] for row in rows(result.out)] == [None, None, None, None, "7", "x"]


def test_the_fields_of_a_csv_are_what_the_header_says(world: World) -> None:
    text = 'name,"a, b"\r\nRoma,"x\r\ny"\r\n"say ""hi""",z\r\n'
    result = world.call("batch", "--input", "csv", "{name}: {a, b}", stdin=text)
    assert contents(result) == ["re: Roma: x\r\ny", 're: say "hi": z']
    assert rows(result.out)[0]["input"] == {"name": "Roma", "a, b": "x\r\ny"}


def test_json_values_other_than_text_are_inserted_as_json(world: World) -> None:
    record = {"a": "x", "b": [1, "ö"], "c": None, "d": 1.50, "e": True}
    result = world.call("batch", "--input", "jsonl", "{a} {b} {c} {d} {e}", stdin=json.dumps(record))
    assert contents(result) == ['re: x [1, "ö"] null 1.5 true']
    whole = world.call("batch", "--input", "jsonl", "Read:", stdin=' {"a":  1} \n"a\\nb"\n')
    assert contents(whole) == ['re: Read:\n\n{"a":  1}', "re: Read:\n\na\nb"]


def test_a_broken_row_is_an_error_of_its_own_with_its_line(world: World) -> None:
    given = (
        '{"prompt": "ok"}\n\n{"prompt": \n[1]\n{"prompt": 5}\n{"messages": []}\n{"x": NaN}\n{}\n{"prompt": "fine"}\n'
    )
    result = world.call("batch", "--input", "jsonl", stdin=given)
    assert result.status == 13
    assert result.err.startswith("llamacli: 2 answered, 6 failed")
    found = errors(result)
    assert [error and error[0] for error in found] == [None, 2, 2, 2, 2, 2, 2, None]
    message = [error[1].split(" ", 3)[2] for error in found if error]
    assert message == ["3", "4", "5", "6", "7", "8"]
    assert rows(result.out)[1]["input"] == '{"prompt": '
    assert all(row["key"] is None and row["attempts"] == 0 for row in rows(result.out) if row["error"])
    assert asked(world) == {"ok": 1, "fine": 1}


def test_broken_csv_is_an_error_of_its_own_with_its_line(world: World) -> None:
    given = b'prompt,x\n"a\nb",1\n"bad"x,1\n1,2,3\nlone\n\xff,1\n"never closed\n'
    (world.cwd / "in.csv").write_bytes(given)
    result = world.call("batch", "{x}", "in.csv")
    assert result.status == 13
    message = [error and error[1] for error in errors(result)]
    assert message[0] is None
    assert "in.csv line 4 is not valid CSV" in str(message[1])
    assert "in.csv line 5 has 3 fields, but the header has 2" in str(message[2])
    assert "in.csv line 6 has no field 'x'" in str(message[3])
    assert "in.csv line 7 is not UTF-8" in str(message[4])
    assert "in.csv line 8 is not valid CSV" in str(message[5])


def test_bytes_that_are_not_utf8_are_an_error_or_lossy(world: World) -> None:
    (world.cwd / "in").write_bytes(b"good\nb\xe4d\n")
    result = world.call("batch", "-", "in")
    message = "in line 2 is not UTF-8: byte 0xe4 at offset 1; --lossy reads such bytes as U+FFFD"
    assert errors(result) == [None, (2, message)]
    assert contents(world.call("batch", "--lossy", "-", "in")) == ["re: good", "re: b\ufffdd"]
    (world.cwd / "in").write_bytes(b'"good"\n"b\xe4d"\n')
    result = world.call("batch", "--input", "jsonl", "{}", "in")
    assert "--lossy reads such bytes as U+FFFD" in str(errors(result)[1])


def test_the_error_for_bare_crs_says_how_lines_must_end(world: World) -> None:
    (world.cwd / "in.csv").write_bytes(b"prompt,x\ra,1\rb,2\r")
    result = world.call("batch", "-", "in.csv")
    message = "in.csv line 1 is not valid CSV: CR without LF; end its lines with LF or CR LF"
    assert (result.status, result.err) == (2, f"llamacli: {message}\n")


def test_a_records_own_body_that_leaves_no_room_for_a_form_is_named(world: World) -> None:
    bodies: list[dict[str, Any]] = [{"tools": [{}]}, {"n": 2}]
    messages = [{"role": "user", "content": "Hi"}]
    given = "".join(json.dumps({"body": {"messages": messages, **body}}) + "\n" for body in bodies)
    for command in ([], ["--dry-run"]):
        result = world.call("batch", "--input", "jsonl", "--choice", "a,b", *command, stdin=given)
        assert result.status == 13
        message = result.out + result.err
        for number, what in ((1, "cannot be combined with tools"), (2, "needs a single answer, not 2")):
            assert f"stdin line {number}: --choice " in message
            assert f"{what}; remove that from the record's body" in message
        assert "drop" not in message
        assert "without -q" not in message
    assert "1; run without -q" in world.call("batch", "-q", "--dry-run", stdin=b"\xff\n").err


OPENAI = {"custom_id": "c-1", "method": "POST", "url": "/v1/chat/completions"}


def test_openais_batch_format_is_taken_as_it_is(world: World) -> None:
    body = {"model": "theirs", "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 9, "stream": True}
    result = world.call("batch", "--input", "jsonl", stdin=json.dumps({**OPENAI, "body": body}))
    assert result.status == 0, result.err
    assert rows(result.out)[0]["id"] == "c-1"
    assert world.api.body == {name: value for name, value in body.items() if name != "stream"}
    assert world.api.requests[0].path == "/v1/chat/completions"


def test_a_flag_overrides_a_records_body_and_that_the_environment(world: World) -> None:
    line = json.dumps({"body": {"model": "theirs", "top_k": 5, "messages": [{"role": "user", "content": "Hi"}]}})
    arguments = ["batch", "--input", "jsonl", "-m", "mine", "-s", "Be brief.", "-p", "x=1"]
    result = world.call(*arguments, stdin=line, LLAMACLI_TOP_K="7", LLAMACLI_SEED="3")
    assert result.status == 0, result.err
    assert (world.api.body["model"], world.api.body["top_k"], world.api.body["seed"]) == ("mine", 5, 3)
    assert world.api.body["x"] == 1
    assert [message["role"] for message in world.api.body["messages"]] == ["system", "user"]


def test_another_url_is_an_error_of_its_row(world: World) -> None:
    line = json.dumps({**OPENAI, "url": "/v1/embeddings", "body": {}})
    result = world.call("batch", "--input", "jsonl", stdin=line)
    assert result.status == 13
    assert "asks for /v1/embeddings, but batch supports only" in str(errors(result))


def test_system_role_and_files_go_with_each_item(world: World) -> None:
    (world.config / "roles").mkdir()
    (world.config / "roles" / "short.md").write_text("Be brief.\n")
    (world.cwd / "f").write_text("of a file\n")
    line = '{"messages": [{"role": "user", "content": "B"}]}\n{"prompt": "A"}\n'
    result = world.call("batch", "--input", "jsonl", "-r", "short", "-f", "f", "-j", "1", stdin=line)
    assert result.status == 0, result.err
    for request, prompt in zip(world.api.requests, "BA", strict=True):
        assert request.json["messages"] == [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": f'{prompt}\n\n<file name="f">\nof a file\n\n</file>'},
        ]


def test_parameters_reach_every_body(world: World) -> None:
    world.call("batch", "-t", "0.5", "--seed", "3", "-p", "top_a=1", stdin="a\nb\n")
    for request in world.api.requests:
        assert {name: request.json[name] for name in ("temperature", "seed", "top_a")} == {
            "temperature": 0.5,
            "seed": 3,
            "top_a": 1,
        }
        assert "stream" not in request.json


USAGE: list[tuple[list[str], str]] = [
    (["there"], "no prompt: 'there' is a file; try llamacli batch 'PROMPT with {}' there; if each line is a prompt: "),
    (["there.csv"], "'PROMPT with {field}' there.csv; if each record has its own prompt: llamacli batch - there.csv"),
    (
        ["there", "--input", "jsonl"],
        "'PROMPT with {field}' there; if each record has its own prompt: llamacli batch - there",
    ),
    (
        ["there", "Is {} a word?"],
        "'Is {} a word?' is not a file, but 'there' is; the prompt comes first: llamacli batch",
    ),
    (["{name}", "there"], "there is read as plain lines, so there is no {name}; add --input csv (or tsv, jsonl)"),
    (["{city}", "x.csv"], "x.csv has no column 'city'; its columns are name, n"),
    (["-", "x.csv"], "x.csv has no column 'prompt'"),
    (["{a", "there"], "the template has a single { at character 1"),
    (["a}", "there"], "the template has a single } at character 2"),
    (["-", "twice.csv"], "twice.csv has two columns 'prompt'"),
    (["-", "missing"], "missing: No such file or directory; nothing was sent"),
    (["-", "there", "missing"], "missing: No such file or directory"),
    (["-", "."], ".: Is a directory"),
    (["-", "-", "-"], "stdin was already read for the items"),
    (["-s", "@-"], "stdin was already read for --system"),
    (["--input", "xml"], "--input: 'xml' is not one of lines, jsonl, csv, tsv, files"),
    (["--shard", "0/2"], "--shard: '0/2' is not I/N"),
    (["--shard", "3/2"], "--shard"),
    (["-j", "0"], "--jobs: '0' is out of range"),
    (["-0"], "--null needs --plain"),
    (["--resume"], "--resume needs a file of rows"),
    (["--resume", "--plain", "-o", "x"], "--resume needs a file of rows"),
    (["--retry-failed", "-o", "/dev/null"], "--retry-failed needs a file of rows"),
    (["-o", "there"], "there is not empty; continue it with --resume"),
    (["-o", "there", "--plain"], "there is not empty; choose another file"),
    (["-o", "there", "--resume"], "there line 1 is not a row of a batch; nothing was changed"),
]


@pytest.mark.parametrize(("arguments", "message"), USAGE, ids=[" ".join(arguments) for arguments, _ in USAGE])
def test_contradictory_options_are_2_before_anything_is_sent(world: World, arguments: list[str], message: str) -> None:
    (world.cwd / "there").write_text("a line\nand another\n")
    (world.cwd / "x.csv").write_text("name,n\nRome,1\n")
    (world.cwd / "there.csv").touch()
    (world.cwd / "twice.csv").write_text("prompt,prompt\na,b\n")
    result = world.call("batch", *arguments, stdin="hello\n")
    assert (result.status, result.out) == (2, "")
    assert message in result.err
    assert result.err.count("\n") == 1
    assert not world.api.requests
    assert (world.cwd / "there").read_text() == "a line\nand another\n"


def test_an_input_that_is_the_output_is_2(world: World) -> None:
    (world.cwd / "l").write_text("a\nb\n")
    os.link(world.cwd / "l", world.cwd / "hard")
    (world.cwd / "soft").symlink_to("l")
    scripts = [
        "llamacli batch '{}' <l >>l",
        "llamacli batch '{}' <l >>hard",
        "llamacli batch '{}' l >>soft",
        "llamacli batch --plain '{}' hard l >>l",
        "llamacli batch -o l --resume '{}' soft",
        "llamacli batch -o hard '{}' <l",
        "llamacli batch -o /dev/stdout '{}' l >>l",
        "llamacli batch --input files '{}' soft >>l",
        "llamacli batch '{}' l --usage-log hard",
        "LLAMACLI_USAGE_LOG=soft llamacli batch '{}' <l -o m",
    ]
    for script in scripts:
        result = world.shell(script)
        assert (result.status, world.api.requests) == (2, []), script
        assert "the input is also the output" in result.err
        assert (world.cwd / "l").read_text() == "a\nb\n"
    assert world.shell("llamacli batch -q '{}' <l >m; llamacli batch -q '{}' </dev/null >/dev/null").status == 0


def test_an_empty_batch_is_not_a_failure(world: World) -> None:
    for arguments in ([], ["--input", "csv", "{x}"], ["--plain"]):
        result = world.call("batch", *arguments, stdin="")
        assert (result.status, result.out) == (0, "")
        assert result.err == "llamacli: there are no items; nothing was asked\n"


def test_shards_together_are_the_whole(world: World) -> None:
    given = "".join(f"{number}\n" for number in range(20))
    parts = [rows(world.call("batch", "--shard", f"{part}/3", stdin=given).out) for part in (1, 2, 3)]
    assert [row["index"] for row in parts[1]] == list(range(1, 20, 3))
    whole = sorted((row["index"], row["content"]) for part in parts for row in part)
    assert whole == [(number, f"re: {number}") for number in range(20)]


def test_dry_run_and_curl_print_a_request_a_line(world: World) -> None:
    given = '{"prompt": "a"}\n{"prompt": "b"}\nbroken\n'
    arguments = ["batch", "--input", "jsonl", "-t", "0"]
    shown = world.call(*arguments, "--dry-run", stdin=given)
    assert shown.status == 13
    assert "line 3 is not JSON" in shown.err
    assert not world.api.requests
    world.call(*arguments, "-j", "1", stdin=given)
    assert [json.loads(line) for line in shown.out.splitlines()] == [request.json for request in world.api.requests]
    commands = world.call(*arguments, "--curl", "--shard", "2/3", stdin=given).out.splitlines()
    assert len(commands) == 1
    del world.api.requests[:]
    done = subprocess.run(["sh", "-c", commands[0]], env=world.env, capture_output=True, check=False)
    assert b"re: b" in done.stdout
    assert world.api.prompt == "b"


def test_the_first_row_is_there_before_the_input_ends(world: World) -> None:
    for arguments in ([], ["--input", "csv"], ["--input", "jsonl"]):
        head = {"csv": b"prompt\n", "jsonl": b""}.get(arguments[-1] if arguments else "", b"")
        line = b'{"prompt": "one"}\n' if "jsonl" in arguments else b"one\n"
        with start(world, *arguments) as running:
            assert running.stdin
            assert running.stdout
            running.stdin.write(head + line)
            running.stdin.flush()
            assert json.loads(running.stdout.readline())["content"] == "re: one"
            running.communicate()
        assert running.returncode == 0


def test_reading_a_terminal_is_announced(world: World) -> None:
    with start(world) as running:
        assert running.stderr
        assert b"waiting for text on stdin" in running.stderr.readline()
        running.communicate(b"x\n")


FOLDER = Path(tempfile.mkdtemp())
TEXTS = st.text(st.characters(codec="utf-8"), max_size=12)
NAMES = st.text(st.characters(codec="utf-8", exclude_characters="{}"), min_size=1, max_size=5)


@given(st.lists(st.one_of(TEXTS.map(lambda text: ("text", text)), NAMES.map(lambda name: ("field", name)))), TEXTS)
def test_a_template_gives_back_its_text_and_the_values(parts: list[tuple[str, str]], item: str) -> None:
    written = "".join(
        text.replace("{", "{{").replace("}", "}}") if kind == "text" else "{" + text + "}" for kind, text in parts
    )
    record = {text: f"<{text}>" for kind, text in parts if kind == "field"}
    wanted = "".join(text if kind == "text" else record[text] for kind, text in parts)
    template = Template(written)
    assert set(template.fields) == set(record)
    assert template.fill(item, record) == (wanted if record else f"{wanted}\n\n{item}")


@given(st.text("{}ab", max_size=10))
def test_a_template_is_read_or_refused(text: str) -> None:
    try:
        template = Template(text)
    except LlamaError:
        return
    assert isinstance(template.fill("x", dict.fromkeys(template.fields, "y")), str)


@given(st.lists(st.binary(max_size=9) | st.sampled_from([b"\n", b"\r\n", b"\r", b"a\nb"]), max_size=20))
def test_lines_are_those_between_lfs_wherever_the_bytes_are_cut(blocks: list[bytes]) -> None:
    whole = b"".join(blocks)
    found = list(split_lines(block for block in blocks if block))
    assert b"".join(found) == whole
    assert all(line.endswith(b"\n") for line in found[:-1])
    assert all(line.count(b"\n") <= 1 for line in found)


@given(st.binary(max_size=200), st.sampled_from(list(INPUT_FORMATS)), st.booleans())
def test_reading_accepts_any_bytes(data: bytes, form: str, lossy: bool) -> None:
    path = FOLDER / "items"
    path.write_bytes(data)
    inputs = InputReader(lambda note: None)
    inputs.lossy = lossy
    try:
        items = list(Items([InputFile(str(path), form, inputs)], Template("{}")))
    except LlamaError:
        # Input that is not text, or has no valid header.
        is_known = data.startswith((b"\xff\xfe", b"\xfe\xff", *CONVERSION_HINTS)) or picture_type(data)
        assert b"\0" in data or form in ("csv", "tsv") or is_known
        return
    assert [item.index for item in items] == list(range(len(items)))
    texts: list[Any] = [item.error or item.text for item in items]
    assert all(texts)


def test_max_time_covers_waiting_for_the_writer_of_a_fifo(world: World) -> None:
    os.mkfifo(world.cwd / "p")
    result = world.call("batch", "--max-time", "0.2", "-", "p")
    assert (result.status, result.out) == (8, "")
    assert "p has no writer after 0.2 s (--max-time); nothing was sent" in result.err
