"""What is asked: words, stdin, files, pictures, roles and examples."""

import json
from base64 import b64encode
from typing import Any

import pytest

from tests.support.fake_api import MODEL, error
from tests.support.world import World


def test_the_documented_first_call_is_sent(world: World) -> None:
    assert world.call("ask", "Hello").status == 0
    assert world.api.body == {"model": MODEL, "messages": [{"role": "user", "content": "Hello"}], "stream": True}


def test_words_are_joined_by_one_space(world: World) -> None:
    world.call("ask", "why", "is", "the sky", "blue")
    assert world.api.prompt == "why is the sky blue"


@pytest.mark.parametrize(
    ("words", "stdin", "prompt"),
    [
        (["Summarize:"], "abc", "Summarize:\n\nabc"),
        (["Summarize:"], "abc\n\n\n", "Summarize:\n\nabc"),
        (["Summarize:"], "\n a \r\n\tb \n", "Summarize:\n\n\n a \r\n\tb "),
        (["Summarize:"], "", "Summarize:"),
        (["Summarize:"], "\n\n", "Summarize:"),
        ([], "abc\n", "abc"),
        (["-"], "abc\n", "abc"),
        (["Say", "-", "this"], "abc\n", "Say this\n\nabc"),
        (["a {stdin} b {stdin}"], "x\n", "a x b x"),
        (["a{stdin}b"], "", "ab"),
        (["-I", "a {stdin} b"], "x\n", "a {stdin} b"),
        (["-I", "a"], "x\n", "a"),
        (["--ignore-stdin", "a"], "x\n", "a"),
        (["a", "--", "-I", "--json"], "", "a -I --json"),
        (["@file and @@"], "", "@file and @@"),
        (["\u2028 日本語 👨‍👩‍👧"], "\ufeffß", "\u2028 日本語 👨‍👩‍👧\n\n\ufeffß"),
    ],
)
def test_prompt_and_stdin_make_one_message(world: World, words: list[str], stdin: str, prompt: str) -> None:
    result = world.call("ask", *words, stdin=stdin)
    assert (result.status, result.err) == (0, "")
    assert world.api.body["messages"] == [{"role": "user", "content": prompt}]


def test_files_come_between_prompt_and_stdin(world: World) -> None:
    (world.cwd / "a.txt").write_text("A\n")
    (world.cwd / "b c.txt").write_text("{stdin}")
    world.call("ask", "-f", "a.txt", "Look", "--file", "b c.txt", stdin="tail")
    assert world.api.prompt == (
        'Look\n\n<file name="a.txt">\nA\n\n</file>\n\n<file name="b c.txt">\n{stdin}\n</file>\n\ntail'
    )


def test_a_file_alone_is_enough(world: World) -> None:
    (world.cwd / "a").write_text("A")
    world.call("ask", "-f", "a")
    assert world.api.prompt == '<file name="a">\nA\n</file>'


def test_the_system_message_comes_first(world: World) -> None:
    world.call("ask", "-s", "Be brief", "Hi")
    assert world.api.body["messages"] == [{"role": "system", "content": "Be brief"}, {"role": "user", "content": "Hi"}]


@pytest.mark.parametrize(
    ("value", "stdin", "system", "prompt"),
    [
        ("@sys.txt", "abc", "from a file", "Hi\n\nabc"),
        ("@-", "abc\n", "abc", "Hi"),
        ("@@home", "", "@home", "Hi"),
        ("@@", "", "@", "Hi"),
    ],
)
def test_an_at_sign_reads_the_system_message(world: World, value: str, stdin: str, system: str, prompt: str) -> None:
    (world.cwd / "sys.txt").write_text("from a file\n")
    world.call("ask", "--system", value, "Hi", stdin=stdin)
    assert [message["content"] for message in world.api.body["messages"]] == [system, prompt]


def test_a_role_is_a_file_in_the_config_folder(world: World) -> None:
    (world.config / "roles").mkdir()
    (world.config / "roles" / "pirate.md").write_text("Talk like a pirate.\n")
    world.call("ask", "-r", "pirate", "Hi")
    assert world.api.body["messages"][0] == {"role": "system", "content": "Talk like a pirate."}
    result = world.call("ask", "-r", "pirat", "Hi")
    assert result.status == 2
    assert "did you mean 'pirate'?" in result.err


@pytest.mark.parametrize("name", ["../secret", "/etc/passwd", ".hidden", "none"])
def test_a_role_that_is_not_there_is_refused(world: World, name: str) -> None:
    result = world.call("ask", "-r", name, "Hi")
    assert (result.status, result.out) == (2, "")
    assert result.err.startswith("llamacli: --role: ")
    assert not world.api.requests


@pytest.mark.parametrize(
    ("arguments", "stdin", "message"),
    [
        ([], "", "nothing to ask"),
        ([""], "", "nothing to ask"),
        ([" "], "\n", "nothing to ask"),
        ([], "\ufeff\r\n", "nothing to ask"),
        (["-s", "Be brief"], "", "nothing to ask"),
        (["-I"], "abc", "nothing to ask"),
        (["-f", "missing", "Hi"], "", "missing: No such file or directory"),
        (["-f", ".", "Hi"], "", ".: Is a directory"),
        (["-s", "@missing", "Hi"], "", "missing: No such file or directory"),
        (["-s", "x", "-r", "y", "Hi"], "", "--system and --role"),
        (["-I", "-", "Hi"], "abc", "--no-stdin"),
        (["-s", "@-", "--tools", "@-", "Hi"], "[]", "stdin was already read for --system"),
        (["-s", "@-", "-", "Hi"], "x", "stdin was already read for --system"),
    ],
)
def test_an_invalid_question_is_refused_before_anything_is_sent(
    world: World, arguments: list[str], stdin: str, message: str
) -> None:
    result = world.call("ask", *arguments, stdin=stdin)
    assert (result.status, result.out) == (2, "")
    assert message in result.err
    assert result.err.startswith("llamacli: ")
    assert result.err.count("\n") == 1
    assert not world.api.requests


PNG, JPEG, GIF = b"\x89PNG\r\n\x1a\n\0\xff", b"\xff\xd8\xff\xe0\0", b"GIF89a\1\0\1\0"
WEBP = b"RIFF\x24\0\0\0WEBPVP8 "


def picture(media_type: str, data: bytes) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": f"data:{media_type};base64,{b64encode(data).decode()}"}}


@pytest.mark.parametrize(
    ("data", "media_type"), [(PNG, "image/png"), (JPEG, "image/jpeg"), (GIF, "image/gif"), (WEBP, "image/webp")]
)
@pytest.mark.parametrize("command", [["ask"], ["chat", "--no-save"]])
def test_a_picture_is_sent_as_a_data_url(world: World, command: list[str], data: bytes, media_type: str) -> None:
    (world.cwd / "photo").write_bytes(data)
    result = world.call(*command, "-f", "photo", "What is this?")
    assert (result.status, result.err.count("\n")) == (0, 0 if command == ["ask"] else result.err.count("\n"))
    [message] = world.api.body["messages"]
    assert message["content"] == [{"type": "text", "text": "What is this?"}, picture(media_type, data)]


def test_pictures_and_texts_keep_their_order(world: World) -> None:
    for name, data in {"a.txt": b"A", "b.png": PNG, "c.gif": GIF, "d.txt": b"D"}.items():
        (world.cwd / name).write_bytes(data)
    files = [argument for name in ("a.txt", "b.png", "c.gif", "d.txt") for argument in ("-f", name)]
    assert world.call("ask", *files, "Look", stdin="tail").status == 0
    assert world.api.body["messages"][0]["content"] == [
        {"type": "text", "text": 'Look\n\n<file name="a.txt">\nA\n</file>'},
        picture("image/png", PNG),
        picture("image/gif", GIF),
        {"type": "text", "text": '<file name="d.txt">\nD\n</file>\n\ntail'},
    ]


def test_a_picture_can_come_from_stdin_and_go_into_a_batch_and_a_session(world: World) -> None:
    (world.cwd / "a.png").write_bytes(PNG)
    assert world.call("ask", "-f", "-", stdin=PNG).status == 0
    assert world.api.body["messages"][0]["content"] == [picture("image/png", PNG)]
    assert world.call("batch", "-f", "a.png", "Is it {}?", stdin="red\n").status == 0
    assert world.api.body["messages"][0]["content"] == [
        {"type": "text", "text": "Is it red?"},
        picture("image/png", PNG),
    ]
    assert world.call("chat", "-S", "s", "-f", "a.png", "Look").status == 0
    assert world.call("chat", "-S", "s", "And?").status == 0
    assert world.api.body["messages"][0]["content"][1] == picture("image/png", PNG)
    assert "Look" in world.call("sessions", "show", "s").out


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (400, "This model does not support image input."),
        (422, "messages.0.content: Input should be a valid string"),
        (404, "No endpoints found that support image input"),
    ],
)
def test_a_refused_picture_is_4_and_names_the_likely_cause(world: World, status: int, words: str) -> None:
    (world.cwd / "a.png").write_bytes(PNG)
    world.api.will(error(status, words))
    for command in (["ask"], ["chat", "-S", "x"], ["batch", "-"]):
        result = world.call(*command, "-f", "a.png", stdin="What is it?\n")
        assert result.status == (13 if "batch" in command else 4)
        assert f"{words.rstrip('.')}; check that the model accepts pictures; -m chooses another" in result.err
    assert "pictures" not in world.call("ask", 'Is "image_url" a key?').err


def test_a_prompt_that_is_the_name_of_a_file_gets_a_note(world: World) -> None:
    (world.cwd / "notes.txt").write_text("Hi")
    (world.cwd / "words").write_text("Hi")
    for command in (["ask"], ["chat", "--no-save"]):
        result = world.call(*command, "notes.txt")
        assert (result.status, world.api.prompt) == (0, "notes.txt")
        assert result.err == "llamacli: the prompt is the name of a file; to send its text: -f notes.txt\n"
    assert "to send its text: -f notes.txt\n" in world.call("ask", "@notes.txt").err
    assert "to send its text: -s @notes.txt\n" in world.call("ask", "-s", "notes.txt", "Hi").err
    for arguments in (["--", "notes.txt"], ["words"], ["other.txt"], ["what", "notes.txt"], ["-q", "notes.txt"], ["."]):
        assert world.call("ask", *arguments).err == ""


@pytest.mark.parametrize("names", ["a\nb c\n", "a\0b c\0", "a\n\nb c", "\ufeffa\r\nb c\r\n"])
def test_files_from_attaches_the_files_of_a_list(world: World, names: str) -> None:
    (world.cwd / "a").write_text("A")
    (world.cwd / "b c").write_text("B")
    (world.cwd / "list").write_text(names, newline="")
    expected = 'Look\n\n<file name="a">\nA\n</file>\n\n<file name="b c">\nB\n</file>'
    assert world.call("ask", "--files-from", "list", "Look", stdin="tail").status == 0
    assert world.api.prompt == f"{expected}\n\ntail"
    assert world.call("ask", "--files-from", "-", "Look", stdin=names).status == 0
    assert world.api.prompt == expected


@pytest.mark.parametrize(
    ("flag", "text"),
    [
        ("--tools", '[{"type": "function", "function": {"name": "f"}}]'),
        ("--messages", '[{"role": "user", "content": "x"}]'),
        ("--schema", '{"type": "object"}'),
        ("--system", "Be brief."),
        ("-f", "text"),
    ],
)
def test_a_byte_order_mark_is_not_part_of_a_file(world: World, flag: str, text: str) -> None:
    (world.cwd / "plain").write_text(text)
    (world.cwd / "marked").write_text("\ufeff" + text)
    sign = "" if flag == "-f" else "@"
    plain, marked = (world.call("ask", "--dry-run", flag, sign + name, "Hi") for name in ("plain", "marked"))
    assert (marked.status, marked.out.replace("marked", "plain")) == (0, plain.out), marked.err
    piped = world.call("ask", "--dry-run", flag, sign + "-", "Hi", stdin="\ufeff" + text)
    assert piped.status == 0, piped.err


def test_messages_come_between_system_and_prompt(world: World) -> None:
    examples = [{"role": "user", "content": "good"}, {"role": "assistant", "content": "positive"}]
    (world.cwd / "m.json").write_text(json.dumps(examples))
    expected = [{"role": "system", "content": "S"}, *examples, {"role": "user", "content": "Hi"}]
    assert world.call("ask", "-s", "S", "--messages", "@m.json", "Hi").status == 0
    assert world.api.body["messages"] == expected
    assert world.call("batch", "-s", "S", "--messages", "@m.json", "-", stdin="Hi\n").status == 0
    assert world.api.body["messages"] == expected
    assert world.call("chat", "-S", "x", "-s", "S", "--messages", json.dumps(examples), "Hi").status == 0
    assert world.api.body["messages"] == expected
    assert world.call("chat", "-S", "x", "--messages", "@m.json", "--keep-turns", "1", "Bye").err == ""
    assert [message["content"] for message in world.api.body["messages"]][:4] == ["S", "good", "positive", "Hi"]
    assert world.call("chat", "-S", "x", "Again").status == 0
    assert "positive" not in [message["content"] for message in world.api.body["messages"]]


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("{}", "is not a JSON array"),
        ("[1]", "number 1 is not an object"),
        ('[{"content": "x"}]', "number 1 has no role"),
        ('[{"role": "user", "content": "x"}, {"role": 5}]', "number 2 has a role that is not a string"),
        ('[{"role": "user", "content": 5}]', "number 1 has content of the wrong type"),
        ("[", "is not JSON"),
        ("@missing", "missing"),
    ],
)
def test_messages_that_are_not_messages_are_refused(world: World, value: str, words: str) -> None:
    result = world.call("ask", "--messages", value, "Hi")
    assert (result.status, result.out) == (2, "")
    assert words in result.err
    if value.startswith("[{"):
        record = json.dumps({"messages": json.loads(value)})
        (world.cwd / "items.jsonl").write_text(record + "\n")
        result = world.call("batch", "-q", "-", "items.jsonl")
        assert result.status == 13
        assert words in json.loads(result.out)["error"]["message"]
    assert not world.api.requests


def test_words_after_a_file_that_are_files_are_refused(world: World) -> None:
    for name in ("a.py", "b.py", "c.py"):
        (world.cwd / name).write_text(name)
    result = world.shell("llamacli ask -I -f *.py 'What is wrong?'")
    assert result.status == 2
    assert "the prompt begins with the file 'b.py'" in result.err
    assert "--files-from" in result.err
    assert not world.api.requests
    assert world.shell("llamacli ask -I -f a.py -- b.py says hi").status == 0
    assert world.api.prompt.startswith("b.py says hi\n\n<file")
    assert world.shell("llamacli ask -I -f a.py why b.py").status == 0
    assert world.shell("llamacli ask -I b.py").status == 0


def test_an_option_with_another_dash_is_not_sent_as_a_word(world: World) -> None:
    for word, option in {"\u2014model": "--model", "\u2013m": "-m", "\u2013\u2013max-tokens=5": "--max-tokens"}.items():
        for command in ("ask", "chat"):
            result = world.call(command, word, "x", "Hi")
            assert (result.status, result.out) == (2, "")
            assert f"'{word}' does not begin with the dash of an option; type {option};" in result.err
    assert not world.api.requests
    assert world.call("ask", "--", "\u2014model", "Hi").status == 0
    assert world.call("ask", "\u2014", "he", "said", "\u20135").status == 0
