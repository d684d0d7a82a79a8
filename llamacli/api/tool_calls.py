"""Tool calls: converted to one form, assembled from deltas, and printed."""

import json
from typing import TypedDict

from llamacli.api.json import Json, JsonObject, parse_json
from llamacli.api.messages import Message, is_message


class ToolCall(TypedDict):
    """A tool call as it is printed; see `tool_calls`."""

    id: object
    name: object
    arguments: object


def tool_calls(message: Message) -> list[ToolCall]:
    """Returns a message's tool calls as {id, name, arguments}.

    Arguments are parsed if they are JSON. A call of another type than `function` has
    its name and input in an object that bears the type's name. A call with neither
    object is left out.
    """
    calls = [parsed for call in message.get("tool_calls") or () if (parsed := _tool_call(call))]
    old = message.get("function_call")
    old_call = _tool_call({"id": None, "function": old}) if old else None
    # Some servers send a call in both forms.
    is_repeated = any(old_call == {**call, "id": None} for call in calls)
    return calls if is_repeated or not old_call else [*calls, old_call]


#: The keys of a tool call's function, each with its names on several servers.
FUNCTION_KEYS = {"name": ("name",), "arguments": ("arguments", "parameters", "args")}


#: Attempts to find the last of several JSON objects.
MAX_ATTEMPTS = 100


def has_api_form(choice: JsonObject) -> bool:
    """True if a choice of a whole completion has its answer where the API puts it."""
    message = choice.get("message")
    if not isinstance(message, dict) or not is_message({**message, "role": "assistant"}):
        return False
    content = message.get("content")
    if isinstance(content, list) and any(other_parts(content).values()):
        return False
    return all(to_tool_call(call) is call for call in message.get("tool_calls") or ())


def other_parts(parts: list[JsonObject]) -> JsonObject:
    """Returns the refusal and the tool calls that Anthropic and others send as parts of the content."""
    refusal = "".join(str(part.get("refusal") or "") for part in parts if part.get("type") == "refusal")
    calls = [
        {
            "id": part.get("id"),
            "type": "function",
            "function": {"name": part.get("name"), "arguments": part.get("input")},
        }
        for part in parts
        if part.get("type") == "tool_use"
    ]
    return {"refusal": refusal, "tool_calls": calls}


def to_tool_calls(value: Json) -> list[JsonObject]:
    """Returns the tool calls of a message in the API's form.

    Some servers send a single object, or an object of indices. Raises TypeError.
    """
    if isinstance(value, dict):
        is_call = any(key in value for key in ("index", "id", "type", "function", "name", "arguments"))
        value = [value] if is_call else list(value.values())
    if not isinstance(value, list):
        raise TypeError
    return [to_tool_call(call) for call in value if call]


def to_tool_call(call: Json) -> JsonObject:
    """Returns a tool call in the API's form, the same object if it already has it.

    Some servers put the name and the arguments beside the id. Raises TypeError.
    """
    if not isinstance(call, dict):
        raise TypeError
    function = call.get("function") or {}
    if isinstance(function, str) and call.get("arguments") is not None:
        function = {"name": function}
    if not isinstance(function, dict):
        raise TypeError
    named: JsonObject = {}
    for key, names in FUNCTION_KEYS.items():
        values = (holder.get(name) for holder in (function, call) for name in names)
        value = next((value for value in values if value not in (None, "")), None)
        if value is not None and value is not function.get(key):
            named[key] = value
    if not named and not isinstance(call.get("function"), str):
        return call
    rest = {key: value for key, value in call.items() if key not in ("name", "arguments", "parameters", "args")}
    return {**rest, "function": {**function, **named}}


def _tool_call(call: JsonObject) -> ToolCall | None:
    function = call.get("function")
    if isinstance(function, dict) and function:
        return {"id": call.get("id"), "name": function.get("name"), "arguments": _arguments(function.get("arguments"))}
    other = call.get(str(call.get("type")))
    if isinstance(other, dict) and other:
        return {"id": call.get("id"), "name": other.get("name"), "arguments": other.get("input")}
    return None


def _arguments(text: object) -> object:
    try:
        # Some servers encode them twice, or forget to escape a newline.
        return _arguments(parse_json(repaired(text), escaped=False)) if isinstance(text, str) else text
    except ValueError:
        return text


def find_call(calls: list[JsonObject], part: JsonObject) -> JsonObject | None:
    """Returns the tool call that a delta continues, or None.

    It returns None if it begins another one. Servers leave out indices, ids and names, or
    send them empty, late or with every delta. Some give each delta an id or an index of
    its own, or every call the same one. So a new call begins with a name under a new id,
    or after complete arguments.
    """
    index, id, function = part.get("index"), part.get("id"), part.get("function") or {}
    # Mistral sends this if a call has no id.
    id = None if id == "null" else id
    name, arguments = function.get("name"), function.get("arguments")
    if id and (known := [call for call in calls if call.get("id") == id]):
        same = [call for call in known if None in (index, call.get("index")) or _has_index(call, index)]
        if same or not name:
            return (same or known)[-1]
    if index is None:
        last = calls[-1] if calls else None
    else:
        last = next((call for call in reversed(calls) if _has_index(call, index)), None)
        if last is None and calls and not name:
            is_rest = arguments and not id and not _is_complete(calls[-1])
            last = calls[-1] if is_rest or calls[-1].get("index") is None else None
    if last is None:
        return None
    known_function = last.get("function") or {}
    known_name = known_function.get("name")
    if id and last.get("id") not in (None, "", "null"):
        is_cut = bool(known_function.get("arguments")) and not _is_complete(last)
        begins = not known_name or (bool(name) and not (is_cut and name == known_name))
    else:
        is_repeated = name == known_name and arguments in (None, "", known_function.get("arguments"))
        begins = bool(name and known_name) and not is_repeated and _is_complete(last)
    return None if begins else last


def _has_index(call: JsonObject, index: object) -> bool:
    # Some servers send it as a string, but not every time.
    return str(call.get("index")) == str(index)


def _is_complete(call: JsonObject) -> bool:
    """True if the arguments of a call are a whole JSON object."""
    arguments = (call.get("function") or {}).get("arguments")
    return _is_json(arguments) if isinstance(arguments, str) else isinstance(arguments, dict)


def _is_json(text: str) -> bool:
    """True if a text is a whole JSON object."""
    try:
        # Checking the last character is cheap, and this may run for each delta.
        return text.rstrip()[-1:] == "}" and isinstance(json.loads(text, strict=False), dict)
    except (ValueError, RecursionError):
        return False


def add_to_call(call: JsonObject, part: JsonObject) -> None:
    """Adds a delta to a tool call.

    Empty and repeated fields change nothing.
    """
    function = part.get("function") or {}
    known = call["function"] = call.get("function") or {}
    name, known_name = function.get("name"), known.get("name")
    if isinstance(name, str) and isinstance(known_name, str) and known_name and name:
        # Sent in pieces, or whole with every delta.
        name = name if name.startswith(known_name) else known_name + name
    merge(known, {**function, "name": name} if name else {key: function[key] for key in function if key != "name"})
    for key, value in part.items():
        if key == "custom" and isinstance(call.get(key), dict):
            merge(call[key], value)
        elif key != "function" and value not in (None, "") and call.get(key) in (None, ""):
            call[key] = value


def finish_calls(message: JsonObject) -> None:
    """Repairs the calls of a message and sorts them by index."""
    calls = message.get("tool_calls")
    functions = [call.get("function") for call in calls] if isinstance(calls, list) else []
    for function in (message.get("function_call"), *functions):
        if function and isinstance(function.get("arguments"), str):
            function["arguments"] = repaired(function["arguments"])
    if isinstance(calls, list) and all(isinstance(call.get("index"), int) for call in calls):
        message["tool_calls"] = sorted(calls, key=lambda call: call["index"])


def repaired(arguments: str) -> str:
    """Returns arguments without what some servers repeat.

    They send all of the arguments so far with every delta, or all of them once more at the end.
    """
    start = len(arguments)
    for _ in range(0 if _is_json(arguments) else MAX_ATTEMPTS):
        start = arguments.rfind("{", 0, start)
        if start <= 0:
            break
        if _is_json(arguments[start:]):
            # Others begin with an empty object.
            is_repeated = _repeats(arguments[:start].removeprefix("{}"), arguments[start:])
            return arguments[start:] if is_repeated else arguments
    return arguments


def _repeats(text: str, whole: str) -> bool:
    """True if a text is made up of prefixes of another one."""
    while text:
        pairs = enumerate(zip(text, whole, strict=False))
        size = next((size for size, (one, other) in pairs if one != other), len(whole))
        if not size:
            return False
        text = text[size:]
    return True


def merge(whole: JsonObject, part: JsonObject) -> None:
    """Adds a delta to the fields so far.

    Arguments, input and lists grow, objects merge, everything else is replaced.
    """
    for key, value in part.items():
        known = whole.get(key)
        if isinstance(known, dict) and isinstance(value, dict):
            merge(known, value)
        elif isinstance(known, list) and isinstance(value, list):
            known.extend(value)
        elif isinstance(known, str) and isinstance(value, str) and key in ("arguments", "input"):
            whole[key] = known + value
        elif value or key not in whole:
            whole[key] = value
