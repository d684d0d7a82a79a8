"""What a Tab offers in real shells: every flag of every command, values, names and files; nothing is started."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from llamacli.cli import app
from llamacli.cli.docs import generate
from llamacli.cli.spec import CommandSpec, FlagSpec
from llamacli.cli.types import ParamType
from tests.support.shells import FILES, Shell, files_in
from tests.support.world import World

SHELLS = list(generate.SHELLS)
COMMANDS = app.commands()
MODELS = {"llama-3.3", "meta-llama/Llama-3.3-70B", "gemma:2b"}
ROLES = {"pirate", "code review"}
PROMPTS = {"review", "commit message"}
SESSIONS = {"monday", "tuesday.2"}
TABLES = {"model": MODELS, "role": ROLES, "prompt": PROMPTS, "session": SESSIONS}


@pytest.fixture
def shell(request: pytest.FixtureRequest, world: World) -> Shell:
    """A shell on a machine with models, roles, sessions and files."""
    (world.home / ".cache" / "llamacli").mkdir(parents=True)
    (world.home / ".cache" / "llamacli" / "models").write_text("".join(f"{name}\n" for name in MODELS))
    for folder, names, suffix in (
        (world.config / "roles", ROLES, ".md"),
        (world.config / "prompts", PROMPTS, ".md"),
        (sessions(world), SESSIONS, ".jsonl"),
    ):
        folder.mkdir(parents=True)
        for name in names:
            (folder / f"{name}{suffix}").write_text("")
    for name in ("notes.txt", "it's.md", "a file.txt"):
        (world.cwd / name).write_text("")
    (world.cwd / "folder").mkdir()
    (world.cwd / "folder" / "inner.txt").write_text("")
    return Shell(request.param, world, generate.script(request.param, COMMANDS))


def sessions(world: World):  # type: ignore[no-untyped-def]
    return world.home / ".local" / "state" / "llamacli" / "sessions"


def flags() -> Iterator[tuple[CommandSpec, FlagSpec, str]]:
    for command in COMMANDS:
        for entry in command.flags:
            for form in entry.names:
                yield command, entry, form


def given(entry: FlagSpec, form: str) -> str:
    return f"{form} x" if entry.takes_value else form


def wanted(kind: ParamType, shell: Shell) -> set[str]:
    """Returns what must be offered for a value of this kind."""
    names = TABLES.get(kind.completes, set())
    return {*kind.values, *names, *(files_in(shell.world.cwd) if kind.completes == "file" else ())}


def clean(shell: Shell, found: set[str], lead: str = "") -> set[str]:
    """Returns the candidates as bare names, without what the line already contains."""
    names = {name.removeprefix(lead).replace("\\", "").rstrip("/") for name in found}
    if FILES in names:
        names = (names - {FILES}) | files_in(shell.world.cwd)
    return names


@pytest.mark.parametrize("shell", SHELLS, indirect=True)
def test_every_flag_of_every_command_is_offered_under_all_its_names(shell: Shell) -> None:
    # A short flag that is already there is followed by its value.
    lines = {f"llamacli {command.name} {form if len(form) > 2 else '-'}": form for command, _, form in flags()}
    found = shell.offers(*lines)
    for command, _, form in flags():
        assert form in found[f"llamacli {command.name} {form if len(form) > 2 else '-'}"], (command.name, form)


def test_a_negated_switch_has_its_own_description() -> None:
    zsh, fish = (generate.script(name, COMMANDS) for name in ("zsh", "fish"))
    for _, entry, form in flags():
        text = f"Do the opposite of {entry.long}."
        undoes = form == entry.flag.negated(entry.field)
        if undoes:
            assert f"){form}[{text}]" in zsh
            assert f"__llamacli_offer '' '{text}' {form}\n" in fish
        assert (text in entry.descriptions) == (len(entry.descriptions) == 2)
        assert (form in entry.descriptions[entry.flag.help]) == (not undoes)


@pytest.mark.parametrize("shell", SHELLS, indirect=True)
def test_a_flag_that_was_given_is_not_offered_again_unless_it_may_be_repeated(shell: Shell) -> None:
    lines = {f"llamacli {c.name} {given(entry, form)} --": (c, entry) for c, entry, form in flags()}
    found = shell.offers(*lines)
    for line, (command, entry) in lines.items():
        others = {form for other in command.flags for form in other.names if form.startswith("--")}
        own = {form for form in entry.names if form.startswith("--")}
        assert found[line] == (others if entry.flag.multiple else others - own), line


@pytest.mark.parametrize("shell", SHELLS, indirect=True)
def test_every_flag_offers_its_values(shell: Shell) -> None:
    lines = {}
    for command, entry, form in flags():
        if entry.takes_value:
            lines[f"llamacli {command.name} {form} "] = (entry.flag.type, "")
            if form.startswith("--"):
                lines[f"llamacli {command.name} {form}="] = (entry.flag.type, f"{form}=")
            if entry.flag.type.at_file:
                lines[f"llamacli {command.name} {form} @"] = (ParamType(completes="file"), "@")
    found = shell.offers(*lines)
    for line, (kind, lead) in lines.items():
        assert clean(shell, found[line], lead) == wanted(kind, shell), line


@pytest.mark.parametrize("shell", SHELLS, indirect=True)
def test_every_operand_offers_its_possible_values(shell: Shell) -> None:
    lines = {}
    for command in COMMANDS:
        before = f"llamacli {command.name} "
        for place in command.operands:
            lines[before] = place.type
            if place.type.at_file:
                lines[before + "@"] = ParamType(completes="file")
            before += "x "
            if place.multiple:
                lines[before] = place.type
    found = shell.offers(*lines)
    for line, kind in lines.items():
        # zsh offers flags if there is nothing else.
        names = {name for name in found[line] if not name.startswith("-")}
        assert clean(shell, names, "@") == wanted(kind, shell), line


CASES = [
    ("llamacli ", {command.name for command in COMMANDS}),
    ("llamacli a", {"ask"}),
    ("llamacli --", {"--help", "--version"}),
    ("llamacli nonsense ", set()),
    ("llamacli ask why is the ", set()),
    ("llamacli ask note", set()),
    ("llamacli ask -- --te", set()),
    ("llamacli ask why --tem", {"--temperature"}),
    ("llamacli ask -qt 1 --temp", set()),
    ("llamacli ask -qt ", set()),
    ("llamacli ask -m ll", {"llama-3.3"}),
    ("llamacli ask -mll", {"llama-3.3"}),
    ("llamacli ask -qmll", {"llama-3.3"}),
    ("llamacli ask --model=meta-llama/", {"meta-llama/Llama-3.3-70B"}),
    ("llamacli ask --model gemma:", {"gemma:2b"}),
    ("llamacli ask --model=gemma:", {"gemma:2b"}),
    ("llamacli ask --tool-choice=r", {"required"}),
    ("llamacli ask -s @fold", {"folder"}),
    ("llamacli ask -s @folder/", {"inner.txt"}),
    ("llamacli ask -s@note", {"notes.txt"}),
    ("llamacli ask --system=@note", {"notes.txt"}),
    ("llamacli ask 'a b' \"c d\" -s '@note", {"notes.txt"}),
    ("llamacli ask -s note", set()),
    ("llamacli raw -F prompt=@note", {"notes.txt"}),
    ("llamacli raw -F x", set()),
    ("llamacli raw -F a=@x -F b=@note", {"notes.txt"}),
    ("llamacli ask hello <note", {"notes.txt"}),
    ("llamacli ask hello 2>note", {"notes.txt"}),
    ("llamacli ask <notes.txt --seed 1 --se", set()),
    ("echo x; llamacli ask -m ll", {"llama-3.3"}),
    ("echo x | llamacli sessions r", {"rm"}),
    ("llamacli sessions rm mon", {"monday"}),
    ("llamacli sessions rm monday tue", {"tuesday.2"}),
]
LEADS = (
    "--model=gemma:",
    "gemma:",
    "--model=",
    "--tool-choice=",
    "--system=@",
    "-s@",
    "-m",
    "-qm",
    "prompt=@",
    "b=@",
    "@",
)


@pytest.mark.parametrize("shell", SHELLS, indirect=True)
def test_odd_places(shell: Shell) -> None:
    found = shell.offers(*(line for line, _ in CASES))
    for line, names in CASES:
        word = line.rsplit(" ", 1)[-1].lstrip("'<").removeprefix("2>")
        bare = set()
        for name in clean(shell, found[line]):
            if not word.startswith("-") and name.startswith("-"):
                continue
            for lead in LEADS:
                if name.startswith(lead) and not lead.endswith("gemma:"):
                    name = name.removeprefix(lead)
                    break
            # bash breaks the word at the colon and gives the rest.
            bare.add(f"gemma:{name}" if name == "2b" else name.removeprefix("folder/"))
        if shell.name == "fish":
            # If nothing begins with the word, fish offers names that contain its letters.
            typed = word.removesuffix("folder/")
            for lead in LEADS:
                typed = typed.removeprefix(lead) if lead != "gemma:" and not lead.endswith("=gemma:") else typed
            bare = {name for name in bare if name.startswith(typed)}
        elif names and all(name in files_in(shell.world.cwd) for name in names):
            bare &= names
        assert bare == names, line


HOSTILE = "host$(touch pwned)ile;`touch pwned`'\"&|*?{a,b}!#~\\"


@pytest.mark.parametrize("shell", SHELLS, indirect=True)
def test_a_hostile_name_arrives_as_it_is_and_does_nothing(shell: Shell) -> None:
    world = shell.world
    with (world.home / ".cache" / "llamacli" / "models").open("a") as file:
        file.write(f"{HOSTILE}\n\x1b]0;x\x07host\n")
    (world.config / "roles" / f"{HOSTILE}.md").write_text("")
    (sessions(world) / f"{HOSTILE}.jsonl").write_text("")
    (sessions(world) / "new\nline.jsonl").write_text("")
    (world.cwd / HOSTILE).write_text("")
    assert shell.types("llamacli ask -m host") == ["ask", "-m", HOSTILE]
    assert shell.types("llamacli ask --role=host") == ["ask", f"--role={HOSTILE}"]
    assert shell.types("llamacli sessions show host") == ["sessions", "show", HOSTILE]
    assert shell.types("llamacli ask -s @host") == ["ask", "-s", f"@{HOSTILE}"]
    assert shell.types("llamacli ask -f host") == ["ask", "-f", HOSTILE]
    assert not (world.cwd / "pwned").exists()
    assert "new" not in str(shell.offers("llamacli sessions show new"))[40:]


@pytest.mark.parametrize("shell", SHELLS, indirect=True)
def test_a_completed_word_becomes_the_intended_argument(shell: Shell) -> None:
    assert shell.types("llamacli as") == ["ask"]
    assert shell.types("llamacli ask --temper") == ["ask", "--temperature"]
    assert shell.types("llamacli ask --model=gem") == ["ask", "--model=gemma:2b"]
    assert shell.types("llamacli ask -m gemma:") == ["ask", "-m", "gemma:2b"]
    assert shell.types("llamacli ask -s @a") == ["ask", "-s", "@a file.txt"]
    assert shell.types("llamacli ask --system='@no") == ["ask", "--system=@notes.txt"]
    assert shell.types('llamacli ask -s "@a fi') == ["ask", "-s", "@a file.txt"]
    assert shell.types("llamacli ask --role=co") == ["ask", "--role=code review"]
    assert shell.types("llamacli ask -f a") == ["ask", "-f", "a file.txt"]
    assert shell.types("llamacli raw -F prompt=@no") == ["raw", "-F", "prompt=@notes.txt"]


@pytest.mark.parametrize("shell", SHELLS, indirect=True)
def test_many_names_are_offered_each(shell: Shell) -> None:
    for number in range(3000):
        (sessions(shell.world) / f"s{number}.jsonl").write_text("")
    found = shell.offers("llamacli sessions show ", "llamacli sessions show s2999")
    assert found["llamacli sessions show "] == SESSIONS | {f"s{number}" for number in range(3000)}
    assert found["llamacli sessions show s2999"] == {"s2999"}


@pytest.mark.parametrize("shell", SHELLS, indirect=True)
def test_the_xdg_folders_are_used_if_they_are_absolute(shell: Shell) -> None:
    other = shell.world.home / "else where" / "llamacli"
    (other / "sessions").mkdir(parents=True)
    (other / "sessions" / "friday.jsonl").write_text("")
    (other / "models").write_text("m1\nm2")
    names = ("llamacli sessions show ", "llamacli ask -m ")
    shell.env |= {"XDG_STATE_HOME": str(other.parent), "XDG_CACHE_HOME": str(other.parent)}
    assert list(shell.offers(*names).values()) == [{"friday"}, {"m1", "m2"}]
    shell.env |= {"XDG_STATE_HOME": "else where", "XDG_CACHE_HOME": "."}
    assert list(shell.offers(*names).values()) == [SESSIONS, MODELS]


@pytest.mark.parametrize("shell", SHELLS, indirect=True)
def test_without_stored_names_nothing_is_offered(shell: Shell) -> None:
    shell.env |= {f"XDG_{name}_HOME": "/dev/null/none" for name in ("STATE", "CACHE", "CONFIG")}
    found = shell.offers("llamacli sessions show ", "llamacli ask -m ", "llamacli ask -r ")
    assert all(names == set() for names in found.values())
