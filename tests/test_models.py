"""`models`: the catalogue, for people, pipes and completions."""

import json
import stat

from tests.conftest import PROGRAM, World
from tests.fake_api import answer, document, error
from tests.terminal import Terminal

CATALOGUE = {
    "object": "list",
    "data": [
        {
            "id": "meta-llama/Llama-3.3-70B-Instruct-Turbo",
            "aliases": ["llama-70b"],
            "type": "openai/chat-completions",
            "info": {"name": "Llama 3.3", "developer": "Meta", "contextLength": 131072, "outputMax": 8192},
            "tags": [],
        },
        {"id": "flux/dev", "type": "image", "info": {"name": "Flux", "developer": "Black Forest"}},
        {"id": "a/\x1b[31mred\tname", "type": "openai/chat-completions", "info": {"developer": "A\nB"}},
    ],
}


def test_a_pipe_gets_a_line_a_model_with_tabs(world: World) -> None:
    world.api.will(document(CATALOGUE))
    result = world.call("models")
    assert (result.status, result.err) == (0, "")
    assert result.out == ("a/\x1b[31mred name\tA B\t\t\nmeta-llama/Llama-3.3-70B-Instruct-Turbo\tMeta\t131072\t8192\n")
    assert (world.api.requests[0].method, world.api.requests[0].path) == ("GET", "/v1/models")


def test_a_terminal_gets_an_aligned_table(world: World) -> None:
    world.api.will(document(CATALOGUE))
    with Terminal(world, *PROGRAM, "models") as terminal:
        assert terminal.wait() == 0
    head, red, llama = terminal.shown.replace("\r", "").splitlines()[-3:]
    assert head.split() == ["MODEL", "DEVELOPER", "CONTEXT", "MAX", "OUTPUT"]
    assert "a/\\x1b[31mred name" in red
    assert llama.index("131072") + 6 == head.index("CONTEXT") + 7


def test_filter_all_and_json(world: World) -> None:
    world.api.will(document(CATALOGUE))
    for word in ("LLAMA", "70b", "meta", "Llama 3.3"):
        assert world.call("models", word).out.count("\n") == 1
    result = world.call("models", "nothing like it")
    assert (result.status, result.out) == (0, "")
    assert "offers no model with 'nothing like it'" in result.err
    assert world.call("models", "flux").out == ""
    assert world.call("models", "--all", "flux").out == "flux/dev\tBlack Forest\t\t\n"
    assert json.loads(world.call("models", "--json", "llama").out) == {"object": "list", "data": [CATALOGUE["data"][0]]}


def test_no_key_is_needed(world: World) -> None:
    world.api.will(document(CATALOGUE))
    assert world.call("models", AIMLAPI_API_KEY="").status == 0
    assert "authorization" not in world.api.requests[0].headers


def test_a_server_that_sends_ids_alone_will_do(world: World) -> None:
    world.api.will(document({"data": [{"id": "b", "owned_by": "me"}, {"id": "a", "info": None}, {"no": "id"}, "x"]}))
    assert world.call("models").out == "a\t\t\t\nb\tme\t\t\n"


def test_the_list_is_kept_for_completions(world: World) -> None:
    world.api.will(document(CATALOGUE))
    world.call("models", "llama")
    kept = world.home / ".cache" / "llamacli" / "models"
    assert kept.read_text().splitlines()[1] == "meta-llama/Llama-3.3-70B-Instruct-Turbo"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    world.call("models", XDG_CACHE_HOME=str(world.cwd / "cache"))
    assert (world.cwd / "cache" / "llamacli" / "models").exists()
    (world.cwd / "blocked").write_text("")
    assert world.call("models", XDG_CACHE_HOME=str(world.cwd / "blocked")).status == 0


def test_failures_have_their_statuses(world: World) -> None:
    for behaviour, status in [
        (error(401, "no"), 3),
        (error(404, "no"), 4),
        (document([]), 9),
        (document(b"<html>"), 9),
        (answer(), 9),
        (document({"data": 5}), 9),
    ]:
        world.api.will(behaviour)
        result = world.call("models")
        assert (result.status, result.out) == (status, "")
        assert result.err.count("\n") == 1
