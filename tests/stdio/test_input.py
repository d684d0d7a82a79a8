"""How stdin and files are read."""

import os
import signal
import subprocess
import threading

import pytest

from llamacli.http.options import NetworkOptions
from llamacli.http.retry import RetryPolicy
from llamacli.stdio.input import is_stdin
from tests.support.fake_api import hang, text
from tests.support.terminal import Terminal
from tests.support.world import PROGRAM, World


def test_a_process_substitution_is_a_file(world: World) -> None:
    result = world.shell("llamacli ask -I -f <(printf abc) Look")
    assert result.status == 0, result.err
    assert "\nabc\n</file>" in world.api.prompt


def test_bytes_that_are_not_utf8_are_named_and_refused(world: World) -> None:
    (world.cwd / "latin").write_bytes(b"caf\xe9")
    for arguments, stdin, where in [
        ([b"ask", b"Hi"], b"one\ntwo \xff", "stdin is not UTF-8: byte 0xff at offset 8, line 2"),
        ([b"ask", b"caf\xe9"], b"", "the prompt is not UTF-8: byte 0xe9"),
        ([b"ask", b"-f", b"latin", b"Hi"], b"", "latin is not UTF-8: byte 0xe9 at offset 3"),
        ([b"ask", b"-s", b"caf\xe9", b"Hi"], b"", "--system is not UTF-8"),
        ([b"ask", b"-s", b"@latin", b"Hi"], b"", "latin is not UTF-8"),
        ([b"ask", b"--stop", b"\xff", b"Hi"], b"", "--stop is not UTF-8"),
    ]:
        result = world.run(*arguments, stdin=stdin)
        assert (result.status, result.out) == (2, "")
        assert where in result.err
        assert "--lossy" in result.err
    assert not world.api.requests


ENCODINGS = ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be"]


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("lossy", [[], ["--lossy"]])
def test_other_unicode_encodings_are_refused_with_the_command_that_converts_them(
    world: World, encoding: str, lossy: list[str]
) -> None:
    data = "Grüße\nzwei\n".encode(encoding)
    (world.cwd / "text").write_bytes(data)
    (world.config / "roles").mkdir()
    (world.config / "roles" / "r.md").write_bytes(data)
    for arguments, stdin in (
        (["Hi"], data),
        (["-f", "text", "Hi"], b""),
        (["-f", "-", "Hi"], data),
        (["-s", "@text", "Hi"], b""),
        (["-s", "@-", "Hi"], data),
        (["-r", "r", "Hi"], b""),
        (["--schema", "@text", "Hi"], b""),
    ):
        result = world.call("ask", *lossy, *arguments, stdin=stdin)
        assert (result.status, result.out, result.err.count("\n")) == (2, "", 1)
        assert f"is UTF-{encoding[4:6]}" in result.err
        assert f"iconv -f UTF-{encoding[4:6]}" in result.err
    assert not world.api.requests


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"\x7fELF\2\1\1\0\0", "is not text: NUL byte at offset 7"),
        (b"\0", "is not text: NUL byte at offset 0"),
        (b"\xff\1\0", "is not text: NUL byte at offset 2"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "to send a picture, use --file"),
        (b"%PDF-1.5\n%\xe2\xe3\xcf\xd3\n", "it is a PDF: convert it first"),
        (b"PK\3\4\x14\0\0\0", "an Office document: convert it first"),
        (b"\x1f\x8b\x08\x08\xff", "it is compressed: unpack it first"),
        (b"a" * 300_000 + b"\xff" * 300_000 + b"\0", "is not text"),
        (b"a" * 300_000 + b"\0", "is not text: NUL byte at offset 300000"),
    ],
)
def test_binary_files_are_refused_without_naming_lossy(world: World, data: bytes, words: str) -> None:
    (world.cwd / "x").write_bytes(data)
    for arguments in (["-s", "@x", "Hi"], *([] if "picture" in words else [["-f", "x"]])):
        result = world.call("ask", *arguments)
        assert (result.status, result.err.count("\n")) == (2, 1)
        assert words in result.err
        assert "lossy" not in result.err
    assert not world.api.requests


def test_a_pdf_is_not_a_list_of_items_but_text_may_begin_like_one(world: World) -> None:
    (world.cwd / "x").write_bytes(b"%PDF-1.5\n%\xe2\xe3\xcf\xd3\n1 0 obj\n")
    for arguments in (["--lossy", "x"], ["--input", "files", "--lossy", "x"], ["--lossy", "-"]):
        result = world.call("batch", "-q", "{}", *arguments, stdin=(world.cwd / "x").read_bytes())
        assert result.status in (2, 13)
        assert "it is a PDF" in result.out + result.err
    assert not world.api.requests
    assert world.call("ask", stdin="%PDF-1.5 is the first line").status == 0
    assert world.call("batch", "{}", stdin="%PDF-1.5 is the first line").status == 0


def test_a_list_of_files_in_utf_16_is_refused(world: World) -> None:
    names = "x\n".encode("utf-16")
    (world.cwd / "names").write_bytes(names)
    for command in (["ask", "--files-from", "names", "Hi"], ["batch", "--input", "files", "Hi"]):
        result = world.call(*command, stdin=names)
        assert result.status == 2
        assert "is UTF-16, not UTF-8; convert it first: iconv -f UTF-16 -t UTF-8" in result.err


@pytest.mark.parametrize(
    ("data", "place"),
    [
        (b"one\ntwo \xff", "byte 0xff at offset 8, line 2"),
        (b"\xc3", "byte 0xc3 at offset 0, line 1"),
        (b"a\n" * 200_000 + b"\xc3", "byte 0xc3 at offset 400000, line 200001"),
        # The first byte of a character is the last one of a block.
        (b"x" * ((1 << 18) - 1) + b"\xc3(", f"byte 0xc3 at offset {(1 << 18) - 1}, line 1"),
        ("ü".encode() * 400_000 + b"\xfc", "byte 0xfc at offset 800000, line 1"),
    ],
)
def test_the_first_wrong_byte_is_named_wherever_it_is(world: World, data: bytes, place: str) -> None:
    (world.cwd / "x").write_bytes(data)
    assert f"stdin is not UTF-8: {place}; --lossy" in world.call("ask", stdin=data).err
    assert f"x is not UTF-8: {place}; --lossy" in world.call("ask", "-f", "x").err


@pytest.mark.parametrize("size", [1, 3, (1 << 18) - 1, 1 << 18, (1 << 18) + 1])
def test_characters_survive_the_ends_of_blocks(world: World, size: int) -> None:
    text = "x" * size + "日本語" * 100_000
    assert world.call("ask", stdin=text).status == 0
    assert world.api.prompt == text


def test_lossy_reads_them_as_replacement_characters(world: World) -> None:
    (world.cwd / "latin").write_bytes(b"caf\xe9")
    assert world.run(b"ask", b"--lossy", b"a\xff", b"-f", b"latin", stdin=b"\xfe").status == 0
    assert world.api.prompt == 'a\ufffd\n\n<file name="latin">\ncaf\ufffd\n</file>\n\n\ufffd'


@pytest.mark.parametrize("locale", ["C", "POSIX", "en_US.ISO-8859-1", "C.UTF-8"])
def test_utf8_passes_in_any_locale(world: World, locale: str) -> None:
    world.api.will(text("ß 日本語"))
    result = world.run("ask", "Grüße", stdin="日本", env={"LC_ALL": locale})
    assert result.out == "ß 日本語\n"
    assert world.api.prompt == "Grüße\n\n日本"


def test_a_while_read_loop_asks_once_a_line(world: World) -> None:
    (world.cwd / "lines").write_text("one\ntwo\nthree\n")
    result = world.shell('while read -r x; do llamacli ask -I "$x" >/dev/null; done <lines')
    assert result.status == 0
    assert [request.json["messages"][0]["content"] for request in world.api.requests] == ["one", "two", "three"]


def test_a_while_read_loop_without_I_gets_a_note(world: World) -> None:
    (world.cwd / "lines").write_text("one\ntwo\nthree\n")
    result = world.shell('while read -r x; do llamacli ask "$x" >/dev/null; done <lines')
    assert (
        result.err
        == "llamacli: another program has already read the start of stdin; reading the rest (in a loop, use -I)\n"
    )
    assert [request.json["messages"][0]["content"] for request in world.api.requests] == ["one\n\ntwo\nthree"]


def test_every_name_of_descriptor_0_is_stdin(world: World) -> None:
    (world.cwd / "link").symlink_to("/dev/stdin")
    (world.cwd / "0").write_text("a file")
    for path in ("-", "/dev/stdin", "//dev//stdin", "/dev/fd/0", f"/proc/{os.getpid()}/fd/0", str(world.cwd / "link")):
        assert is_stdin(path), path
    for path in ("", "0", "/dev/null", "/dev/fd/1", str(world.cwd / "0"), "missing", "a\0b", "/proc/1/fd/0"):
        assert not is_stdin(path), path


@pytest.mark.parametrize("path", ["/dev/stdin", "link"])
def test_every_name_of_stdin_is_stdin_and_read_once(world: World, path: str) -> None:
    (world.cwd / "text").write_text("abc\n")
    (world.cwd / "link").symlink_to("/dev/stdin")
    for redirection in ("<text", "< <(cat text)"):
        assert world.shell(f"llamacli ask -f {path} Look {redirection}").err == ""
        assert world.api.prompt == f'Look\n\n<file name="{path}">\nabc\n</file>'
        assert world.shell(f"llamacli ask -s @{path} Look {redirection}").status == 0
        assert [message["content"] for message in world.api.body["messages"]] == ["abc", "Look"]
    result = world.shell(f"llamacli ask -s @{path} -f {path} Look <text")
    assert result.status == 2
    assert "stdin was already read for --system" in result.err


@pytest.mark.parametrize(("command", "name"), [("ask Hi", "INT"), ("ask -f pipe Hi", "TERM")])
def test_a_signal_ends_reading_at_once(world: World, command: str, name: str) -> None:
    os.mkfifo(world.cwd / "pipe")
    argv = [*PROGRAM, *command.split()]
    read, write = os.pipe()
    with subprocess.Popen(argv, stdin=read, stderr=subprocess.PIPE, env=world.env, cwd=world.cwd) as running:
        assert running.stderr
        note = running.stderr.readline()
        running.send_signal(getattr(signal, f"SIG{name}"))
        assert running.wait(5) == -getattr(signal, f"SIG{name}")
        assert running.stderr.read() == b""
    os.close(read)
    os.close(write)
    assert note.startswith(b"llamacli: waiting for ")


@pytest.mark.parametrize("command", ["ask -I -f p Look", "batch --plain - p", "ask -I -P ./p"])
def test_a_fifo_without_a_writer_is_waited_for_with_a_note(world: World, command: str) -> None:
    os.mkfifo(world.cwd / "p")
    argv = [*PROGRAM, *command.split()]
    with subprocess.Popen(
        argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=world.env, cwd=world.cwd
    ) as running:
        assert running.stderr
        note = running.stderr.readline()
        (world.cwd / "p").write_text("late\n")
        running.communicate()
    assert (running.returncode, note) == (0, b"llamacli: waiting for %sp\n" % (b"./" if "-P" in command else b""))
    assert "late" in world.api.prompt


@pytest.mark.parametrize(
    ("arguments", "status"),
    [("-f p", 8), ("-s @p", 8), ("-P ./p", 8), ("--files-from p", 8), ("--key-file p", 3), ("-f /dev/zero", 2)],
)
def test_max_time_covers_waiting_for_a_file(world: World, arguments: str, status: int) -> None:
    os.mkfifo(world.cwd / "p")
    result = world.call("ask", "-I", "--max-time", "0.3", *arguments.split(), "Look")
    assert (result.status, result.out, world.api.requests) == (status, "", [])
    assert "p did not end within 0.3 s (--max-time)" in result.err or arguments == "-f /dev/zero"


def test_a_fifo_that_ends_in_time_is_read_whole(world: World) -> None:
    os.mkfifo(world.cwd / "p")
    text = "line\n" * 50_000
    writer = threading.Thread(target=(world.cwd / "p").write_text, args=[text])
    writer.start()
    assert world.call("ask", "-I", "--max-time", "20", "-s", "@p", "Look").status == 0
    writer.join()
    assert world.api.body["messages"][0]["content"] == text.rstrip("\n")
    assert world.call("ask", "-I", "--max-time", "20", "-f", ".", "Look").status == 2


def test_a_silent_stdin_is_named_after_two_seconds(world: World) -> None:
    read, write = os.pipe()
    with subprocess.Popen(
        [*PROGRAM, "ask", "Hi"], stdin=read, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=world.env
    ) as running:
        os.close(read)
        assert running.stderr
        note = running.stderr.readline()
        os.write(write, b"late")
        os.close(write)
        running.communicate()
    assert running.returncode == 0
    assert b"waiting for text on stdin" in note
    assert b"-I" in note
    assert world.api.prompt == "Hi\n\nlate"


def test_a_file_may_have_any_name(world: World) -> None:
    name = "lat\udce9.txt"
    (world.cwd / name).write_text("content")
    for locale in ({}, {"LC_ALL": "en_US.ISO-8859-1"}, {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}):
        result = world.run(b"ask", b"-f", os.fsencode(name), b"-o", b"o\xe9", stdin=b"", env=locale)
        assert (result.status, result.err) == (0, "")
        assert world.api.prompt == '<file name="lat\ufffd.txt">\ncontent\n</file>'
        assert (world.cwd / "o\udce9").read_text()


def test_a_dash_reads_the_terminal_and_says_so(world: World) -> None:
    with Terminal(world, *PROGRAM, "ask", "-") as terminal:
        terminal.until("Ctrl-D on an empty line")
        terminal.type("typed\n\x04")
        assert terminal.wait() == 0
    assert world.api.prompt == "typed"


def test_ten_megabytes_pass(world: World) -> None:
    text = "0123456789abcde\n" * 655_360
    assert world.call("ask", "-s", "x", stdin=text).status == 0
    assert world.api.prompt == text.rstrip("\n")


@pytest.mark.parametrize(
    ("option", "status", "words"),
    [("--stdin-timeout", 2, "no text on stdin after 0.3 s"), ("--max-time", 8, "stdin did not end within 0.3 s")],
)
@pytest.mark.parametrize("command", ["ask Hi", "chat --no-save Hi", "ask -s @- Hi", "ask -f - Hi", "raw -"])
def test_a_silent_stdin_ends_the_call_at_the_limit(
    world: World, command: str, option: str, status: int, words: str
) -> None:
    result = world.shell(f"llamacli {command} {option} 0.3 < <(exec sleep 5 2>/dev/null)")
    assert result.status == status
    assert words in result.err
    assert result.err.count("\n") == 1
    assert not world.api.requests


def test_max_time_ends_a_stdin_that_never_ends_and_stdin_timeout_does_not(world: World) -> None:
    result = world.shell("llamacli ask --max-time 0.5 Hi < <(echo a; exec sleep 5 2>/dev/null)")
    assert result.status == 8
    assert not world.api.requests
    assert world.shell("(echo a; sleep 0.6) | llamacli ask --stdin-timeout 0.5 Hi").status == 0
    assert world.api.prompt == "Hi\n\na"


def test_the_time_that_stdin_took_is_taken_off_max_time() -> None:
    network = NetworkOptions({"max_time": 2.0}, {"max_time": "--max-time"})
    assert RetryPolicy(network.after(1.5)).time_left <= 0.5
    assert RetryPolicy(network.after(1.5)).time_left > 0.001
    assert RetryPolicy(network.after(3.0)).time_left < 0.01
    assert RetryPolicy(NetworkOptions({}, {}).after(1.0)).time_left == float("inf")


def test_an_error_names_the_max_time_that_was_given(world: World) -> None:
    world.api.will(hang)
    result = world.shell("(sleep 0.2; echo a) | llamacli ask --max-time 0.7 Hi")
    assert (result.status, len(world.api.requests)) == (8, 1)
    assert "within --max-time 0.7 s" in result.err


@pytest.mark.parametrize(
    ("command", "start"),
    [
        ("ask -", b""),
        ("raw -", b""),
        ("ask -f big Hi", b""),
        ("ask -f big Hi", b"\x89PNG\r\n\x1a\n"),
        ("ask -s @big Hi", b""),
        ("ask --files-from big Hi", b""),
        ("ask -P ./big", b""),
        ("raw @big", b""),
    ],
)
def test_an_input_that_may_never_end_is_2(
    world: World, command: str, start: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("llamacli.stdio.input.MAX_INPUT_BYTES", 1 << 20)
    data = start + b"x" * (1 << 20) + b"x"
    (world.cwd / "big").write_bytes(data)
    result = world.call(*command.split(), stdin=data)
    assert (result.status, world.api.requests) == (2, [])
    assert result.err.endswith(" is longer than 1 MiB; send a part of it\n")
