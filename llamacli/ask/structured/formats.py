"""The forms that an answer can be asked for in: one of some choices, yes or no, JSON that fits a schema."""

import json
import unicodedata
from collections.abc import Iterator
from typing import Any, ClassVar

from llamacli.api.json import json_fault, parse_json
from llamacli.api.messages import Message, tool_calls
from llamacli.ask.structured.extract import unfenced
from llamacli.ask.structured.schema import Schema, nested
from llamacli.errors import ExitStatus
from llamacli.stdio.escape import one_line

#: The function that the model is made to call, and the parameter that holds an answer which is no object itself.
FUNCTION = "give_answer"


PARAMETER = "answer"


QUOTES = frozenset({'""', "''", "``", "“”", "‘’", "„“", "«»"})


#: How many layers are taken off a text.
MAX_LAYERS = 12


class FormatMismatch(Exception):
    """An answer does not fit; the text says why, to the model and to the user."""


class AnswerFormat:
    """A form of answer. `words` asks for it where no function can be called."""

    flag: ClassVar[str]
    #: The answer is a JSON value, else a text.
    is_json: ClassVar[bool] = False
    parameters: dict[str, Any]
    instruction: str

    @property
    def function(self) -> dict[str, Any]:
        """The function whose arguments are the answer, as the API describes one."""
        return {"name": FUNCTION, "description": "Give the answer to the user.", "parameters": self.parameters}

    def read(self, message: Message) -> Any:
        """Returns the answer that a message gives, by a call or in words. Raises FormatMismatch."""
        if calls := tool_calls(message):
            # A function of another name was not offered: what counts is whether it fits.
            values = [self._arguments(call["arguments"]) for call in calls]
            if any(json.dumps(value) != json.dumps(values[0]) for value in values):
                raise FormatMismatch(f"the function was called {len(calls)} times, with different answers")
            return values[0]
        content: Any = message.get("content")
        if isinstance(content, list):
            content = "".join(str(part.get("text") or "") for part in content if isinstance(part, dict))
        if not isinstance(content, str) or not content.strip():
            raise FormatMismatch("it is empty")
        return self._text(content)

    def content(self, value: Any) -> str:
        """Returns an answer as the text that is printed and kept."""
        return str(value)

    def status(self, value: Any) -> ExitStatus:
        """Returns the exit status that an answer stands for."""
        return ExitStatus.OK

    def parse_arguments(self, given: dict[str, Any]) -> Any:
        """Returns the answer that a call's arguments give. Raises Misfit."""
        raise NotImplementedError

    def parse_text(self, text: str) -> Any:
        """Returns the answer that a text gives. Raises FormatMismatch."""
        raise NotImplementedError

    def _arguments(self, given: object) -> Any:
        if isinstance(given, dict):
            return self.parse_arguments(given)
        return self._text(given if isinstance(given, str) else json.dumps(given))

    def _text(self, text: str) -> Any:
        for layer in layers(text):
            try:
                value = parse_json(layer)
            except ValueError:
                continue
            # Some models write down the call that they should make.
            if isinstance(value, dict) and value.get("name") == FUNCTION:
                given = value.get("parameters", value.get("arguments"))
                if isinstance(given, dict):
                    return self.parse_arguments(given)
        return self.parse_text(text)


class ChoiceFormat(AnswerFormat):
    """One of some texts."""

    flag = "--choice"

    def __init__(self, choices: list[str]) -> None:
        self.choices = choices
        answer = {"type": "string", "enum": choices}
        self.parameters = nested(answer, PARAMETER)
        shown = json.dumps(choices, ensure_ascii=False) if any("\n" in choice for choice in choices) else ""
        self.instruction = "Answer with exactly one of these, and nothing else:\n" + (shown or "\n".join(choices))

    def parse_arguments(self, given: dict[str, Any]) -> str:
        value = given.get(PARAMETER, next(iter(given.values())) if len(given) == 1 else None)
        if value is None or isinstance(value, (dict, list)):
            raise FormatMismatch(f"its arguments are {_shown(json.dumps(given, ensure_ascii=False))}")
        return self._chosen(value if isinstance(value, str) else json.dumps(value))

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
        return self._chosen(text)

    def _chosen(self, text: str) -> str:
        for layer in layers(text):
            if layer in self.choices:
                return layer
        alike = [choice for choice in self.choices if _bare(choice) == _bare(text)]
        if len(alike) != 1:
            raise FormatMismatch(f"'{_shown(text)}' is {'more than one' if alike else 'none'} of the choices")
        return alike[0]


class YesNoFormat(ChoiceFormat):
    """Yes or no."""

    flag = "--yes-no"

    def __init__(self) -> None:
        super().__init__(["yes", "no"])

    def parse_arguments(self, given: dict[str, Any]) -> str:
        words = {True: "yes", False: "no"}
        return super().parse_arguments({key: words[v] if isinstance(v, bool) else v for key, v in given.items()})

    def status(self, value: Any) -> ExitStatus:
        return ExitStatus.OK if value == "yes" else ExitStatus.NO


class SchemaFormat(AnswerFormat):
    """JSON that satisfies a schema."""

    flag = "--schema"
    is_json = True

    def __init__(self, schema: Schema) -> None:
        self.schema = schema
        self.is_object = schema.document.get("type") == "object"
        self.parameters = schema.document if self.is_object else nested(schema.document, PARAMETER)
        shown = json.dumps(schema.document, ensure_ascii=False)
        self.instruction = f"Answer with JSON that satisfies this JSON Schema, and nothing else:\n{shown}"

    def content(self, value: Any) -> str:
        return json.dumps(value, ensure_ascii=False)

    def parse_arguments(self, given: dict[str, Any]) -> Any:
        if not self.is_object and PARAMETER in given:
            return self._checked(given[PARAMETER])
        return self._checked(given)

    def parse_text(self, text: str) -> Any:
        misfit: FormatMismatch | None = None
        for layer in layers(text):
            try:
                value = parse_json(layer)
            except json.JSONDecodeError as error:
                misfit = misfit or FormatMismatch(f"it {json_fault(error)}")
                continue
            except ValueError as error:
                raise FormatMismatch(f"it {error}") from None
            try:
                return self._checked(value)
            except FormatMismatch as error:
                misfit = error
                if isinstance(value, dict) and list(value) == [PARAMETER]:
                    return self.parse_arguments(value)
                if not isinstance(value, str):
                    break
                # JSON inside of a JSON string.
                return self.parse_text(value)
        raise misfit or FormatMismatch("it is no JSON")

    def _checked(self, value: Any) -> Any:
        if fault := self.schema.find_error(value):
            raise FormatMismatch(fault)
        return value


def layers(text: str) -> Iterator[str]:
    """Yields a text and what is left of it as spaces, a code fence, quotes and a final full stop are taken off."""
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
    return text.removesuffix(".").removesuffix("。")


def _bare(text: str) -> str:
    *_, last = layers(text)
    return unicodedata.normalize("NFC", last).casefold()


def _shown(text: str) -> str:
    return one_line(text, 80)
