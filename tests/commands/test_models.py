"""`models`: the list for people, pipes and completions."""

import json
import os
import stat

import pytest

from tests.support.fake_api import answer, document, error
from tests.support.terminal import Terminal
from tests.support.world import PROGRAM, World

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
    assert "offers no models with 'nothing like it'" in result.err
    assert world.call("models", "flux").out == ""
    assert world.call("models", "--all", "flux").out == "flux/dev\tBlack Forest\t\t\n"
    assert json.loads(world.call("models", "--json", "llama").out) == {"object": "list", "data": [CATALOGUE["data"][0]]}


def test_no_key_is_needed(world: World) -> None:
    world.api.will(document(CATALOGUE))
    assert world.call("models", AIMLAPI_API_KEY="").status == 0
    assert "authorization" not in world.api.requests[0].headers


def test_a_server_may_send_only_ids(world: World) -> None:
    world.api.will(document({"data": [{"id": "b", "owned_by": "me"}, {"id": "a", "info": None}, {"no": "id"}, "x"]}))
    assert world.call("models").out == "a\t\t\t\nb\tme\t\t\n"


@pytest.mark.parametrize("key", ["data", "models"])
@pytest.mark.parametrize("name", ["id", "name", "model"])
def test_a_list_of_another_form_is_accepted(world: World, key: str, name: str) -> None:
    world.api.will(document({key: [{name: "b"}, {name: "a"}]}))
    assert [line.split("\t")[0] for line in world.call("models").out.splitlines()] == ["a", "b"]


@pytest.mark.parametrize(
    "listing",
    [
        [{"id": "b"}, {"id": "a"}],
        ["b", "a"],
        {"data": ["b", "a"]},
        {"data": None, "models": [{"name": "b", "id": ""}, {"key": "a"}]},
        {"success": True, "result": [{"model_name": "b"}, {"slug": "a"}]},
        {"code": 0, "data": {"list": [{"id": "b"}, None, {"id": "a"}]}},
    ],
)
def test_a_list_in_another_place_is_found(world: World, listing: object) -> None:
    world.api.will(document(listing))
    assert [line.split("\t")[0] for line in world.call("models").out.splitlines()] == ["a", "b"]


def test_a_list_that_is_an_object_of_ids_is_accepted(world: World) -> None:
    world.api.will(document({"models": {"a": {"context_length": 9}, "b": {}}}))
    assert world.call("models").out == "a\t\t9\t\nb\t\t\t\n"


@pytest.mark.parametrize(("key", "value"), [("has_more", True), ("nextPageToken", "x"), ("has_more", False)])
def test_a_list_that_goes_on_elsewhere_is_noted(world: World, key: str, value: object) -> None:
    world.api.will(document({"data": [{"id": "a"}], key: value}))
    result = world.call("models")
    assert (result.status, result.out) == (0, "a\t\t\t\n")
    assert ("only the first page of its models" in result.err) is bool(value)


def test_the_context_length_has_many_names(world: World) -> None:
    lengths: tuple[dict[str, object], ...] = (
        {"max_model_len": 9},
        {"top_provider": {"context_length": 9}},
        {"meta": {"n_ctx_train": 9}},
    )
    world.api.will(document({"data": [{"id": f"m{number}", **length} for number, length in enumerate(lengths)]}))
    assert world.call("models").out == "m0\t\t9\t\nm1\t\t9\t\nm2\t\t9\t\n"
    kept = world.home / ".cache" / "llamacli" / "context-lengths"
    assert kept.read_text() == "m0\t9\nm1\t9\nm2\t9\n"


def test_the_list_is_kept_for_completions(world: World) -> None:
    world.api.will(document(CATALOGUE))
    world.call("models", "llama")
    kept = world.home / ".cache" / "llamacli" / "models"
    # Not the one with an escape sequence, which a shell would print.
    assert kept.read_text() == "meta-llama/Llama-3.3-70B-Instruct-Turbo\n"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    world.call("models", XDG_CACHE_HOME=str(world.cwd / "cache"))
    assert (world.cwd / "cache" / "llamacli" / "models").exists()
    (world.cwd / "blocked").write_text("")
    assert world.call("models", XDG_CACHE_HOME=str(world.cwd / "blocked")).status == 0


def test_the_cache_follows_no_link_and_replaces_no_device(world: World) -> None:
    world.api.will(document(b'{"data": [{"id": "\\ud800x"}, {"id": ""}, {"id": "two words"}, {"id": "ok"}]}'))
    folder = world.home / ".cache" / "llamacli"
    folder.mkdir(parents=True)
    (world.home / "precious").write_text("mine")
    (folder / "models").symlink_to(world.home / "precious")
    assert world.call("models").status == 0
    assert (world.home / "precious").read_text() == "mine"
    assert (folder / "models").read_text() == "ok\n"
    (folder / "models").unlink()
    os.mkfifo(folder / "models")
    assert world.run("models", timeout=10).status == 0
    assert stat.S_ISFIFO((folder / "models").stat().st_mode)


def test_types_of_another_kind_hide_nothing(world: World) -> None:
    world.api.will(document({"data": [{"id": "a", "type": "model"}, {"id": "b", "type": None}]}))
    assert world.call("models").out == "a\t\t\t\nb\t\t\t\n"


def test_an_unavailable_key_is_not_needed(world: World) -> None:
    world.api.will(document(CATALOGUE))
    result = world.call("models", AIMLAPI_API_KEY="", LLAMACLI_KEY_COMMAND="exit 3")
    assert result.status == 0
    assert "exited with status 3; continuing without a key" in result.err


def test_the_servers_message_is_shown(world: World) -> None:
    world.api.will(document({"error": {"message": "boom"}}))
    assert "did not send a list of models: boom" in world.call("models").err


def test_wide_characters_do_not_shift_the_columns(world: World) -> None:
    world.api.will(document({"data": [{"id": "日本語", "owned_by": "x"}, {"id": "abcdef", "owned_by": "x"}]}))
    with Terminal(world, *PROGRAM, "models") as terminal:
        terminal.wait()
    ascii_row, wide_row = terminal.shown.replace("\r", "").splitlines()[-2:]
    assert ascii_row.index("x") == wide_row.index("x") + 3


def test_failures_have_their_statuses(world: World) -> None:
    for behavior, status in [
        (error(401, "no"), 3),
        (error(404, "no"), 4),
        (document({"object": "list"}), 9),
        (document(b"<html>"), 9),
        (answer(), 9),
        (document({"data": 5}), 9),
    ]:
        world.api.will(behavior)
        result = world.call("models")
        assert (result.status, result.out) == (status, "")
        assert result.err.count("\n") == 1
