"""`llamacli models`: the models that the server offers."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress

from llamacli.api.errors import words_in
from llamacli.api.json import Json, JsonObject
from llamacli.cli.spec import LoadedOptions
from llamacli.cli.table import DisplayOptions, Flag, Operand, Options, OutputFile
from llamacli.cli.types import ParamType, Switch
from llamacli.config import CONTEXT_LENGTHS, MODELS
from llamacli.errors import ExitStatus, LlamaError
from llamacli.http import endpoint
from llamacli.http.options import EndpointOptions, NetworkOptions
from llamacli.http.request import Request
from llamacli.stdio.files import write_atomically
from llamacli.stdio.input import Environment
from llamacli.stdio.output import open_output

DESCRIPTION = """
Each line shows one model: its id, developer, context length and maximum output in tokens.
Columns are aligned on a terminal and separated by tabs in a pipe. FILTER shows only models
whose id, alias, name or developer contains it. No key is needed.
"""
OPERANDS = (Operand("filter", ParamType("FILTER")),)
EXAMPLES = (
    "llamacli models llama",
    "llamacli models | sort -t \"$(printf '\\t')\" -k 3 -n",
    "llamacli models --json | jq -r '.data[].id'",
)
CHAT_TYPE = "openai/chat-completions"
#: The keys under which servers send the list, the name of a model and its context length.
LIST_KEYS = ("data", "models", "result", "results", "items", "list")
ID_KEYS = ("id", "model", "name", "model_name", "model_id", "key", "slug")
#: Keys that show that there are more pages.
MORE_KEYS = ("has_more", "next_page_token", "nextPageToken")
CONTEXT_KEYS = (
    *("contextLength", "context_length", "max_model_len", "context_window", "max_context_length"),
    *("inputTokenLimit", "max_input_tokens", "context_size", "n_ctx", "n_ctx_train"),
)
COLUMNS = ("MODEL", "DEVELOPER", "CONTEXT", "MAX OUTPUT")


class ModelsOptions(Options):
    """Which models are listed, and how."""

    title = "Output"

    all: Flag[bool] = Flag(False, Switch(), "Include models that are not for chat.", "-a", common=True)
    json: Flag[bool] = Flag(False, Switch(), "Print the API's response as JSON, filtered.", common=True)


OPTIONS = (ModelsOptions, OutputFile, DisplayOptions, EndpointOptions, NetworkOptions)


def run(options: LoadedOptions, env: Environment) -> ExitStatus:
    """Lists the models."""
    listing = options[ModelsOptions]
    where = endpoint.resolve(options[EndpointOptions], env, need_key=False)

    from llamacli.http.client import open_client

    with (
        open_output(options[OutputFile].output, env) as out,
        open_client(where, options[NetworkOptions].after(env.input.seconds_spent), env.stderr) as client,
    ):
        from llamacli.http.call import Call
        from llamacli.http.reply import Reply

        call = Call(client, Request("GET", "/models"))
        with Reply(call, call.send()) as reply:
            document = reply.document(reply.blocks())
        listed = models = _models(document)
        # On other servers types mean something else, so nothing is hidden.
        if not listing.all and any(model.get("type") == CHAT_TYPE for model in listed):
            models = [model for model in listed if model.get("type", CHAT_TYPE) == CHAT_TYPE]
        if not listing.all:
            _cache({model["id"]: _context_length(model) for model in models})
        term = env.input.argument(options.operand("filter") or "", "FILTER").lower()
        models = [model for model in models if term in _search_text(model)]
        if listing.json:
            out.document({**document, "data": models} if isinstance(document, dict) else models)
        else:
            out.table([_row(model) for model in models], COLUMNS, right=(2, 3))
        if isinstance(document, dict) and any(document.get(key) for key in MORE_KEYS):
            env.stderr.note("the server sent only the first page of its models")
        if not models:
            matching = f" with '{term}'" if term else ""
            hint = "" if listing.all or not listed else "; --all includes models that are not for chat"
            env.stderr.note(f"{where.base_url} offers no models{matching}{hint}")
        out.commit()
    return ExitStatus.OK


def _models(document: object) -> list[JsonObject]:
    """Returns the models of a document, by id. Most have few fields."""
    data = _find_list(document)
    models = [_with_id(model) for model in data or () if isinstance(model, dict)]
    # Some lists are of names alone.
    models = models or [{"id": name} for name in data or ()]
    named = [model for model in models if isinstance(model["id"], str)]
    if data is None or (data and not named):
        words = words_in(document)
        # An error can arrive with status 200, as with answers.
        status = ExitStatus.SERVER if words else ExitStatus.BROKEN
        message = "the server did not send a list of models" + (f": {words}" if words else "")
        raise LlamaError(status, message, "check --base-url")
    return sorted(named, key=lambda model: str(model["id"]))


def _find_list(document: object, depth: int = 2) -> list[Json] | None:
    """Returns the list in a document: Together sends it alone, others under another key than `data`."""
    if isinstance(document, list):
        return document
    if not isinstance(document, dict) or not depth:
        return None
    lists = (_find_list(document.get(key), depth - 1) for key in LIST_KEYS)
    found = next((found for found in lists if found is not None), None)
    models = document.get("models")
    if found is None and isinstance(models, dict) and all(isinstance(model, dict) for model in models.values()):
        return [{"id": id, **model} for id, model in models.items()]
    return found


def _with_id(model: JsonObject) -> JsonObject:
    return {**model, "id": next((model[key] for key in ID_KEYS if model.get(key)), model.get("id"))}


def _info(model: JsonObject) -> JsonObject:
    info = model.get("info")
    return info if isinstance(info, dict) else {}


def _search_text(model: JsonObject) -> str:
    aliases = model.get("aliases")
    words = [model["id"], *(aliases if isinstance(aliases, list) else [])]
    words += [_info(model).get("name"), *_row(model)[1:2]]
    return "\n".join(str(word) for word in words if word).lower()


def _context_length(model: JsonObject) -> object:
    holders = (_info(model), model, model.get("top_provider"), model.get("meta"))
    values = (holder.get(key) for holder in holders if isinstance(holder, dict) for key in CONTEXT_KEYS)
    return next((value for value in values if value and isinstance(value, int)), None)


def _row(model: JsonObject) -> list[object]:
    info = _info(model)
    return [
        model["id"],
        info.get("developer") or model.get("owned_by") or model.get("organization"),
        _context_length(model),
        info.get("outputMax"),
    ]


def _cache(lengths: Mapping[str, object]) -> None:
    """Caches the ids and context lengths of models.

    Shells complete the ids, and --overflow uses the lengths. Errors are ignored.
    """
    # A shell would split any other id into words, or a terminal would obey it.
    ids = [id for id in lengths if id and id.isprintable() and " " not in id]
    rows = [f"{id}\t{lengths[id]}" for id in ids if isinstance(lengths[id], int)]
    with suppress(OSError):
        os.makedirs(MODELS.folder.path(), mode=0o700, exist_ok=True)
        for file, lines in ((MODELS, ids), (CONTEXT_LENGTHS, rows)):
            write_atomically(file.path(), "".join(f"{line}\n" for line in lines).encode(), 0o600, follow=False)
