"""What is asked: words, stdin, files, roles, the editor."""

import os
import stat
import subprocess
from pathlib import Path

import pytest

from tests.support.fake_api import MODEL, error, respond, text
from tests.support.terminal import Terminal
from tests.support.world import PROGRAM, World


def test_the_documented_first_call_is_sent(world: World) -> None:
    assert world.call("ask", "Hello").status == 0
    assert world.api.body == {"model": MODEL, "messages": [{"role": "user", "content": "Hello"}], "stream": True}


def test_words_are_joined_by_one_space(world: World) -> None:
    world.call("ask", "why", "is", "the sky", "blue")
    assert world.api.prompt == "why is the sky blue"


@pytest.mark.parametrize(
    ("words", "stdin", "prompt"),
    [
        (["Summarise:"], "abc", "Summarise:\n\nabc"),
        (["Summarise:"], "abc\n\n\n", "Summarise:\n\nabc"),
        (["Summarise:"], "\n a \r\n\tb \n", "Summarise:\n\n\n a \r\n\tb "),
        (["Summarise:"], "", "Summarise:"),
        (["Summarise:"], "\n\n", "Summarise:"),
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
        (["\u2028 日本語 👨‍👩‍👧"], "\ufeffß\0", "\u2028 日本語 👨‍👩‍👧\n\n\ufeffß\0"),
    ],
)
def test_prompt_and_stdin_make_one_message(world: World, words: list[str], stdin: str, prompt: str) -> None:
    result = world.call("ask", *words, stdin=stdin)
    assert (result.status, result.err) == (0, "")
    assert world.api.body["messages"] == [{"role": "user", "content": prompt}]


def test_files_stand_between_prompt_and_stdin(world: World) -> None:
    (world.cwd / "a.txt").write_text("A\n")
    (world.cwd / "b c.txt").write_text("{stdin}")
    world.call("ask", "-f", "a.txt", "Look", "--file", "b c.txt", stdin="tail")
    assert world.api.prompt == (
        'Look\n\n<file name="a.txt">\nA\n\n</file>\n\n<file name="b c.txt">\n{stdin}\n</file>\n\ntail'
    )


def test_a_file_alone_is_enough_to_ask(world: World) -> None:
    (world.cwd / "a").write_text("A")
    world.call("ask", "-f", "a")
    assert world.api.prompt == '<file name="a">\nA\n</file>'


def test_a_process_substitution_is_a_file(world: World) -> None:
    result = world.shell("llamacli ask -I -f <(printf abc) Look")
    assert result.status == 0, result.err
    assert "\nabc\n</file>" in world.api.prompt


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
    ("arguments", "stdin", "told"),
    [
        ([], "", "nothing to ask"),
        ([""], "", "nothing to ask"),
        ([" "], "\n", "nothing to ask"),
        (["-s", "Be brief"], "", "nothing to ask"),
        (["-I"], "abc", "nothing to ask"),
        (["-f", "missing", "Hi"], "", "missing: No such file or directory"),
        (["-f", ".", "Hi"], "", ".: Is a directory"),
        (["-s", "@missing", "Hi"], "", "missing: No such file or directory"),
        (["-s", "x", "-r", "y", "Hi"], "", "--system and --role"),
        (["-I", "-", "Hi"], "abc", "--no-stdin"),
        (["-s", "@-", "--tools", "@-", "Hi"], "[]", "stdin was read for --system already"),
        (["-s", "@-", "-", "Hi"], "x", "stdin was read for --system already"),
    ],
)
def test_what_cannot_be_asked_is_refused_before_anything_is_sent(
    world: World, arguments: list[str], stdin: str, told: str
) -> None:
    result = world.call("ask", *arguments, stdin=stdin)
    assert (result.status, result.out) == (2, "")
    assert told in result.err
    assert result.err.startswith("llamacli: ")
    assert result.err.count("\n") == 1
    assert not world.api.requests


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


def test_the_editor_writes_the_prompt(world: World) -> None:
    editor = world.cwd / "ed.sh"
    editor.write_text('#!/bin/sh\nprintf "%s, edited\\n" "$(cat "$2")" >"$2"\necho "on stdout"\n')
    editor.chmod(0o755)
    result = world.call("ask", "-e", "draft", stdin="tail", VISUAL=f"{editor} --wait")
    assert result.status == 0
    assert world.api.prompt == "draft, edited\n\ntail"
    assert "on stdout" not in result.out


def test_what_was_written_in_the_editor_is_kept_where_it_fails(world: World) -> None:
    editor = world.cwd / "ed.sh"
    editor.write_text('#!/bin/sh\necho precious >"$1"; exit 1\n')
    editor.chmod(0o755)
    result = world.call("ask", "-e", VISUAL=str(editor))
    assert result.status == 2
    path = Path(result.err.rpartition("your text is in ")[2].strip())
    assert path.read_text() == "precious\n"
    path.unlink()
    path.parent.rmdir()


@pytest.mark.parametrize(
    ("arguments", "status"), [(["-o", "missing/x"], 74), (["--top-logprobs", "3"], 2), (["-f", "missing"], 2), ([], 4)]
)
def test_what_was_written_in_the_editor_is_kept_where_the_call_fails(
    world: World, arguments: list[str], status: int
) -> None:
    editor = world.cwd / "ed.sh"
    editor.write_text('#!/bin/sh\necho precious >"$1"\n')
    editor.chmod(0o755)
    world.api.will(error(400, "no"), respond)
    result = world.call("ask", "-e", *arguments, VISUAL=str(editor))
    assert result.status == status
    assert result.err.count("\n") == 1
    path = Path(result.err.rpartition("your text is in ")[2].strip())
    assert path.read_text() == "precious\n"
    path.unlink()
    path.parent.rmdir()
    editor.write_text(f'#!/bin/sh\necho precious >"$1"; echo "$1" >{world.cwd}/name\n')
    world.api.will(respond)
    assert world.call("ask", "-e", VISUAL=str(editor)).status == 0
    assert not Path((world.cwd / "name").read_text().strip()).parent.exists()


def test_a_file_may_have_any_name(world: World) -> None:
    name = "lat\udce9.txt"
    (world.cwd / name).write_text("content")
    for locale in ({}, {"LC_ALL": "en_US.ISO-8859-1"}, {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}):
        result = world.run(b"ask", b"-f", os.fsencode(name), b"-o", b"o\xe9", stdin=b"", env=locale)
        assert (result.status, result.err) == (0, "")
        assert world.api.prompt == '<file name="lat\ufffd.txt">\ncontent\n</file>'
        assert (world.cwd / "o\udce9").read_text()


def test_an_editor_that_fails_sends_nothing(world: World) -> None:
    result = world.call("ask", "-e", VISUAL="false")
    assert result.status == 2
    assert result.err == "llamacli: the editor 'false' ended with status 1\n"
    assert not world.api.requests


def test_the_editor_has_the_terminal_while_stdin_is_a_pipe(world: World) -> None:
    editor = world.cwd / "ed.sh"
    editor.write_text('#!/bin/sh\n[ -t 0 ] && [ -t 1 ] && echo "from the terminal" >"$1"\n')
    editor.chmod(0o755)
    with Terminal(world, "sh", "-c", f"printf tail | {' '.join(PROGRAM)} ask -e | cat", EDITOR=str(editor)) as terminal:
        terminal.wait()
    assert world.api.prompt == "from the terminal\n\ntail"


def test_a_dash_reads_the_terminal_and_says_so(world: World) -> None:
    with Terminal(world, *PROGRAM, "ask", "-") as terminal:
        terminal.until("Ctrl-D")
        terminal.type("typed\n\x04")
        assert terminal.wait() == 0
    assert world.api.prompt == "typed"


def test_ten_megabytes_pass(world: World) -> None:
    text = "0123456789abcde\n" * 655_360
    assert world.call("ask", "-s", "x", stdin=text).status == 0
    assert world.api.prompt == text.rstrip("\n")


def test_the_prompt_file_of_the_editor_is_private(world: World, tmp_path: Path) -> None:
    editor = world.cwd / "ed.sh"
    editor.write_text(f'#!/bin/sh\nstat -c %a "$(dirname "$1")" >{tmp_path}/mode\necho hi >"$1"\n')
    editor.chmod(0o755)
    world.call("ask", "-e", EDITOR=str(editor))
    assert stat.S_IMODE(int((tmp_path / "mode").read_text(), 8)) == 0o700
