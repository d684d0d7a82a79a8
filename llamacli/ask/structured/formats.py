"""The formats of a structured answer: a choice, yes or no, JSON."""

import json
import re
import time
import unicodedata
from collections.abc import Iterator
from typing import ClassVar

from llamacli.api.json import JsonObject, json_fault, parse_json
from llamacli.api.messages import Message, joined_text
from llamacli.api.tool_calls import tool_calls
from llamacli.ask.structured.extract import unfenced
from llamacli.ask.structured.patterns import BUDGET
from llamacli.ask.structured.schema import Schema, nested
from llamacli.errors import ExitStatus
from llamacli.stdio.output import dump
from llamacli.stdio.text import one_line

#: The function that the model is forced to call, and its parameter for an answer that is not an object.
FUNCTION = "give_answer"
PARAMETER = "answer"
QUOTES = frozenset({'""', "''", "``", "“”", "‘’", "„“", "«»"})
#: Maximum number of layers that are stripped from a text.
MAX_LAYERS = 12
#: What models write around a call that is text: tags, `[TOOL_CALLS]`, fences, signs.
CALL_MARKUP = re.compile(r"<[^<>]{0,80}>?|\[/?[A-Z_]+\]\w*|```\w*|[\s()\[\]};]+")
CALL_WORD = (
    rf"functools|function|Action:?|Input:|assistant|commentary|json|print|default_api\.|\u273f(FUNCTION|ARGS)\u273f:"
    rf"|(to=)?(functions\.)?{FUNCTION}(:\d+)?"
)
#: A call in the form of Python, and its arguments in the form of XML.
PYTHON_CALL = re.compile(rf"{FUNCTION}(?:\.call)?\((\w+)=([\"'])([^\"'\n]*)\2\)")
#: Some models put their own name in front of each tag.
XML_ARGUMENT = re.compile(
    r"<(?:\w{1,20}_|\uff5c\w{1,20}\uff5c)?(?:parameter=|parameter name=\"|arg_key>)(\w+)"
    r"(?:(?:\"[^<>]{0,40})?>|</(?:\w{1,20}_)?arg_key>\s*<(?:\w{1,20}_)?arg_value>)([^<]*)"
    r"</(?:\w{1,20}_|\uff5c\w{1,20}\uff5c)?(?:parameter|arg_value)>"
)
#: The keys under which models give the name of the function and its arguments.
NAME_KEYS = ("name", "tool", "tool_name", "action", "function", "recipient_name")
ARGUMENT_KEYS = ("parameters", "arguments", "args", "input", "tool_input", "action_input")


class FormatMismatch(Exception):
    """The answer does not fit; the text tells the model and the user why."""


class AnswerFormat:
    """A format of answers; `instruction` asks for it in words."""

    flag: ClassVar[str]
    #: The answer is a JSON value rather than text.
    is_json: ClassVar[bool] = False
    parameters: JsonObject
    instruction: str

    @property
    def function(self) -> JsonObject:
        """The function whose arguments are the answer, for the API."""
        return {"name": FUNCTION, "description": "Give the answer to the user.", "parameters": self.parameters}

    def limit_time(self, seconds: float) -> None:
        """Limits the time for checking this thread's next answer."""

    def read(self, message: Message) -> object:
        """Returns the answer in a call or text. Raises FormatMismatch."""
        if calls := tool_calls(message):
            # No other function was offered, so the name does not matter.
            values = [self._parse_call(call["arguments"]) for call in calls]
            if any(json.dumps(value) != json.dumps(values[0]) for value in values):
                raise FormatMismatch(f"the function was called {len(calls)} times, with different answers")
            return values[0]
        content: object = message.get("content")
        if isinstance(content, list):
            content = joined_text(content)
        if not isinstance(content, str) or not content.strip():
            raise FormatMismatch("it is empty")
        return self._parse_text(content)

    def content(self, value: object) -> str:
        """Returns an answer as the text that is printed and saved."""
        return str(value)

    def status(self, value: object) -> ExitStatus:
        """Returns the exit status that an answer stands for."""
        return ExitStatus.OK

    def parse_arguments(self, arguments: JsonObject) -> object:
        """Returns the answer in a call's arguments. Raises FormatMismatch."""
        raise NotImplementedError

    def parse_text(self, text: str) -> object:
        """Returns the answer in a text. Raises FormatMismatch."""
        raise NotImplementedError

    def _parse_call(self, arguments: object) -> object:
        inner = _named_arguments(arguments)
        arguments = arguments if inner is None else inner
        if isinstance(arguments, dict):
            return self.parse_arguments(arguments)
        return self._parse_text(arguments if isinstance(arguments, str) else json.dumps(arguments))

    def _parse_text(self, text: str) -> object:
        for layer in layers(text):
            arguments = _written_call(layer)
            if arguments is not None:
                return self._parse_call(arguments)
        return self.parse_text(text)


def _written_call(text: str) -> object:
    """Returns the arguments of a call written as text, or None.

    Models write calls in many forms. All of them name the function, and nothing but
    markup surrounds its arguments, which are JSON mostly.
    """
    if FUNCTION not in text:
        return None
    arguments: object
    if match := PYTHON_CALL.search(text):
        arguments, outside = {match[1]: match[3]}, text[: match.start()] + text[match.end() :]
    elif pairs := XML_ARGUMENT.findall(text):
        arguments, outside = {name: _json_or_text(value.strip()) for name, value in pairs}, XML_ARGUMENT.sub(" ", text)
    else:
        try:
            start = text.index("{")
            value, end = json.JSONDecoder().raw_decode(text, start)
        except (ValueError, RecursionError):
            return None
        # Some models repeat a call.
        outside, inner = text.replace(text[start:end], " "), _named_arguments(value)
        if inner is None and FUNCTION not in outside:
            return None
        arguments = value if inner is None else inner
    is_call = all(re.fullmatch(CALL_WORD, word) for word in CALL_MARKUP.sub(" ", outside).split())
    return arguments if is_call else None


def _named_arguments(call: object) -> object:
    """Returns the arguments in an object that names the function, or None."""
    if isinstance(call, list) and len(call) == 1:
        call = call[0]
    if not isinstance(call, dict):
        return None
    for key in ("function", "function_call", "tool_calls", "tool_uses"):
        if isinstance(call.get(key), (dict, list)):
            return _named_arguments(call[key])
    if list(call) == [FUNCTION]:
        return call[FUNCTION]
    if not any(call.get(key) in (FUNCTION, f"functions.{FUNCTION}") for key in NAME_KEYS):
        return None
    return next((call[key] for key in ARGUMENT_KEYS if isinstance(call.get(key), (dict, str))), None)


def _json_or_text(text: str) -> object:
    try:
        return parse_json(text)
    except ValueError:
        return text


class ChoiceFormat(AnswerFormat):
    """One of several texts."""

    flag = "--choice"

    def __init__(self, choices: list[str]) -> None:
        self.choices = choices
        answer = {"type": "string", "enum": choices}
        self.parameters = nested(answer, PARAMETER)
        has_newlines = any("\n" in choice for choice in choices)
        choice_list = json.dumps(choices, ensure_ascii=False) if has_newlines else "\n".join(choices)
        self.instruction = f"Answer with exactly one of these, and nothing else:\n{choice_list}"

    def parse_arguments(self, arguments: JsonObject) -> str:
        value = arguments.get(PARAMETER, next(iter(arguments.values())) if len(arguments) == 1 else None)
        if value is None or isinstance(value, (dict, list)):
            raise FormatMismatch(f"its arguments are {_excerpt(json.dumps(arguments, ensure_ascii=False))}")
        return self._find_choice(value if isinstance(value, str) else json.dumps(value))

    def parse_text(self, text: str) -> str:
        for layer in layers(text):
            if layer in self.choices:
                return layer
            try:
                value = parse_json(layer)
            except ValueError:
                continue
            if isinstance(value, dict):
                return self.parse_arguments(value)
        return self._find_choice(text)

    def _find_choice(self, text: str) -> str:
        for layer in layers(text):
            if layer in self.choices:
                return layer
        similar = [choice for choice in self.choices if _normalized(choice) == _normalized(text)]
        if len(similar) != 1:
            reason = "could be more than one of the choices" if similar else "is not one of the choices"
            raise FormatMismatch(f"'{_excerpt(text)}' {reason}")
        return similar[0]


class YesNoFormat(ChoiceFormat):
    """Yes or no."""

    flag = "--yes-no"

    def __init__(self) -> None:
        super().__init__(["yes", "no"])

    def parse_arguments(self, arguments: JsonObject) -> str:
        words = {True: "yes", False: "no"}
        return super().parse_arguments(
            {key: words[value] if isinstance(value, bool) else value for key, value in arguments.items()}
        )

    def status(self, value: object) -> ExitStatus:
        return ExitStatus.OK if value == "yes" else ExitStatus.NO


class SchemaFormat(AnswerFormat):
    """JSON that satisfies a schema."""

    flag = "--schema"
    is_json = True

    def __init__(self, schema: Schema) -> None:
        self.schema = schema
        self.is_object = schema.document.get("type") == "object"
        self.parameters = schema.document if self.is_object else nested(schema.document, PARAMETER)
        text = json.dumps(schema.document, ensure_ascii=False)
        self.instruction = f"Answer with JSON that satisfies this JSON Schema, and nothing else:\n{text}"

    def limit_time(self, seconds: float) -> None:
        BUDGET.deadline = time.monotonic() + seconds

    def content(self, value: object) -> str:
        return json.dumps(value, ensure_ascii=False)

    def parse_arguments(self, arguments: JsonObject) -> object:
        if not self.is_object and PARAMETER in arguments:
            return self._validated(arguments[PARAMETER])
        return self._validated(arguments)

    def parse_text(self, text: str) -> object:
        first_mismatch: FormatMismatch | None = None
        for layer in layers(text):
            try:
                value = parse_json(layer)
            except json.JSONDecodeError as error:
                first_mismatch = first_mismatch or FormatMismatch(f"it {json_fault(error)}")
                continue
            except ValueError as error:
                raise FormatMismatch(f"it {error}") from None
            try:
                return self._validated(value)
            except FormatMismatch:
                if isinstance(value, dict) and list(value) == [PARAMETER]:
                    return self.parse_arguments(value)
                if not isinstance(value, str):
                    raise
                # JSON inside of a JSON string.
                return self.parse_text(value)
        raise first_mismatch or FormatMismatch("it is not JSON")

    def _validated(self, value: object) -> object:
        """Returns a value as it will be printed, after validating it."""
        try:
            # A server's document may hold what JSON does not allow: NaN, or half of a surrogate pair.
            json.dumps(value, allow_nan=False)
            value = parse_json(dump(value))
        except ValueError:
            raise FormatMismatch("it contains a number that JSON does not allow") from None
        except RecursionError:
            raise FormatMismatch("it is nested too deeply") from None
        if error := self.schema.find_error(value):
            raise FormatMismatch(error)
        return value


def layers(text: str) -> Iterator[str]:
    """Yields a text, then without spaces, fence, quotes, final period."""
    for _ in range(MAX_LAYERS):
        yield text
        inner = _inner(text)
        if inner == text:
            return
        text = inner


def _inner(text: str) -> str:
    if (stripped := text.strip()) != text:
        return stripped
    if (inside := unfenced(text)) is not None:
        return inside
    if len(text) > 1 and text[0] + text[-1] in QUOTES:
        return text[1:-1]
    return re.sub(r"<\|\w{1,30}\|>$|</s>$", "", text).removesuffix(".").removesuffix("。")


def _normalized(text: str) -> str:
    *_, last = layers(text)
    return unicodedata.normalize("NFC", last).casefold()


def _excerpt(text: str) -> str:
    return one_line(text, 80)
