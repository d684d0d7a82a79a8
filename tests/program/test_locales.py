"""Text that is typed, piped, or given as an argument or file is sent unchanged in any locale, or the status is 2."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.support.chat import Chat, said
from tests.support.world import World

TEXT = "\u00dcbersetze \u65e5\u672c\u8a9e \U0001f600"
#: Locales that are generated for the tests; en_US.UTF-8 is missing on the machine.
GENERATED = {"de_DE.ISO-8859-1": "ISO-8859-1", "ja_JP.eucJP": "EUC-JP"}
LOCALES = ["C", "POSIX", "C.UTF-8", "en_US.UTF-8", *GENERATED]


@pytest.fixture(scope="module")
def locales(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the generated locales; empty if the C library's locale sources are missing."""
    folder = tmp_path_factory.mktemp("locales")
    for name, charset in GENERATED.items():
        command = ["localedef", "-i", name.partition(".")[0], "-f", charset, str(folder / name)]
        try:
            subprocess.run(command, check=False, capture_output=True, timeout=60)
        except FileNotFoundError:
            break
    return folder


@pytest.mark.parametrize("locale", LOCALES)
@pytest.mark.parametrize("text", [TEXT.encode(), "\u00dcbersetze".encode("latin-1"), "\u65e5\u672c".encode("euc-jp")])
def test_arguments_stdin_and_files(world: World, locales: Path, locale: str, text: bytes) -> None:
    env = {"LC_ALL": locale, "LOCPATH": str(locales)}
    (world.cwd / "file").write_bytes(text)
    for arguments, stdin in ([b"ask", text], b""), (["ask"], text), (["ask", "-f", "file", "Hi"], b""):
        world.api.requests.clear()
        result = world.run(*arguments, stdin=stdin, env=env)
        if locale == "ja_JP.eucJP" and arguments[-1] == text:
            # Python cannot undo how the C library decodes an argument in this locale.
            assert (result.status, result.out, len(world.api.requests)) == (2, "", 0)
            assert "cannot decode the prompt in this locale" in result.err or "--lossy" in result.err
        elif text == TEXT.encode():
            assert (result.status, result.err) == (0, "")
            assert TEXT in world.api.prompt
        else:
            assert (result.status, result.out, len(world.api.requests)) == (2, "", 0)
            assert "--lossy" in result.err


@pytest.mark.parametrize("locale", LOCALES)
def test_the_prompt_of_a_chat(world: World, locales: Path, locale: str) -> None:
    with Chat(world, LC_ALL=locale, LOCPATH=str(locales)) as chat:
        chat.say(f"{TEXT}\r", "Hello. It's nice")
        assert said(world) == [("user", TEXT)]
        if charset := GENERATED.get(locale):
            typed = "\u65e5\u672c" if "JP" in locale else "\u00dcbersetze"
            chat.type(typed.encode(charset))
            chat.say("\r", "Hello. It's nice")
            assert said(world)[-1] == ("user", typed)
        chat.type(b"ab\xffc\xff")
        if locale == "de_DE.ISO-8859-1":
            # Each byte is a character there.
            chat.say("\r", "Hello. It's nice")
            assert said(world)[-1] == ("user", "ab\u00ffc\u00ff")
        else:
            chat.say("\r", "the terminal sent bytes that are not")
