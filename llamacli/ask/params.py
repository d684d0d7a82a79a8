"""The table of request parameters.

One field is one key of the API, one flag and one environment variable.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from functools import partial

from llamacli.api.json import JsonObject, json_fault, parse_json
from llamacli.api.messages import RequestBody
from llamacli.cli.table import Flag, Options
from llamacli.cli.types import AtFile, Integer, KeyValue, Number, ParamType, Switch
from llamacli.errors import UsageError

DEFAULT_MODEL = "meta-llama/Llama-3.3-70B-Instruct-Turbo"


class JsonType(AtFile):
    """A JSON value of one type."""

    metavar = "JSON"

    def parse(self, text: str) -> object:
        try:
            return parse_json(text)
        except json.JSONDecodeError as error:
            if os.path.isfile(text):
                raise ValueError(f"is a file; write @{text} to read it") from None
            raise ValueError(json_fault(error)) from None


class MessagesType(JsonType):
    """An array of messages, as the API takes them."""

    def parse(self, text: str) -> object:
        from llamacli.api.messages import message_problem

        value = super().parse(text)
        if not isinstance(value, list):
            raise ValueError("is not a JSON array of messages")
        for number, message in enumerate(value, 1):
            if problem := message_problem(message):
                raise ValueError(f"has an invalid message: number {number} {problem}")
        return value


class ToolsType(JsonType):
    """A JSON array of at most 128 tools."""

    def parse(self, text: str) -> object:
        value = super().parse(text)
        if not isinstance(value, list) or len(value) > 128 or not all(isinstance(tool, dict) for tool in value):
            raise ValueError("is not a JSON array of at most 128 tools, each an object")
        return value


class ToolChoiceType(JsonType):
    metavar = "NAME|JSON"
    values = ("none", "auto", "required")

    def parse(self, text: str) -> object:
        if text.lstrip().startswith("{"):
            return super().parse(text)
        if text in self.values:
            return text
        if not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", text):
            raise ValueError("is not none, auto, required or a function name (at most 64 of a-z A-Z 0-9 _ -)")
        return {"type": "function", "function": {"name": text}}


class PredictionType(AtFile):
    def parse(self, text: str) -> object:
        return {"type": "content", "content": text}


class StopType(ParamType):
    def parse(self, text: str) -> str:
        if not text:
            raise ValueError("is empty; is a variable unset?")
        return text

    def join(self, values: list[object]) -> object:
        if len(values) > 4:
            raise UsageError("--stop: at most 4 stop sequences are allowed")
        return values


class ParamFieldType(KeyValue):
    def parse(self, text: str) -> tuple[str, object]:
        try:
            return super().parse(text)
        except ValueError as error:
            # In other tools, -p is the flag for the prompt.
            raise ValueError(f"{error}; the prompt itself needs no flag") from None


class LogitBiasType(KeyValue):
    metavar = "ID=BIAS"
    range = "-100 to 100"

    def value(self, text: str) -> object:
        return Number(-100, 100).parse(text)

    def parse(self, text: str) -> tuple[str, object]:
        try:
            return super().parse(text)
        except ValueError:
            raise ValueError(f"is not ID=BIAS with a BIAS of {self.range}") from None


parameter = partial(Flag, env=True, in_prompt_file=True)

# The worst that a stranger can do with a plain parameter is a bad answer.
plain = partial(Flag, env=True, untrusted=True, in_prompt_file=True)


class Params(Options):
    """The parameters of POST /chat/completions.

    They have the API's names and ranges. A parameter that is None is not sent. `param`
    holds the fields of --param, which override the others.
    """

    title = "Request"
    note = "Each flag has an environment variable: LLAMACLI_MODEL, LLAMACLI_TOP_P and so on."

    model: Flag[str] = plain(DEFAULT_MODEL, ParamType("MODEL", completes="model"), "Model to use.", "-m", common=True)
    max_tokens: Flag[int | None] = plain(None, Integer(1), "Maximum answer length in tokens.", costly=True)
    temperature: Flag[float | None] = plain(None, Number(0, 2), "Sampling temperature.", "-t", common=True)
    top_p: Flag[float | None] = plain(None, Number(0.01, 1), "Nucleus sampling: probability mass.")
    top_k: Flag[int | None] = plain(None, Integer(), "Consider only the N likeliest tokens.")
    min_p: Flag[float | None] = plain(
        None, Number(0.001, 0.999), "Drop tokens below this fraction of the top probability."
    )
    n: Flag[int | None] = plain(None, Integer(1), "Number of answers.", "-n", costly=True)
    stop: Flag[list[str] | None] = plain(
        None,
        StopType(),
        "Stop sequence, up to 4.",
        multiple=True,
        example="llamacli ask --stop END --stop '. ' tell me a story",
    )
    seed: Flag[int | None] = plain(None, Integer(1), "Seed for reproducible sampling.")
    frequency_penalty: Flag[float | None] = plain(None, Number(-2, 2), "Penalize tokens by frequency.")
    presence_penalty: Flag[float | None] = plain(None, Number(-2, 2), "Penalize tokens that have appeared.")
    repetition_penalty: Flag[float | None] = plain(None, Number(), "Repetition penalty factor.")
    logit_bias: Flag[dict[str, float] | None] = parameter(
        None,
        LogitBiasType(),
        "Make a token more or less likely.",
        multiple=True,
        example="llamacli ask --logit-bias 1734=-100 --logit-bias 42=5 hello",
    )
    logprobs: Flag[bool | None] = plain(None, Switch(), "Return log probabilities; ask shows them with --json.")
    top_logprobs: Flag[int | None] = plain(
        None,
        Integer(0, 20),
        "Likeliest tokens to return per position; needs --logprobs.",
        example="llamacli ask --json --logprobs --top-logprobs 3 hello",
    )
    tools: Flag[list[JsonObject] | None] = parameter(
        None,
        ToolsType(),
        "Tools the model may call; JSON or @FILE.",
        example="llamacli ask --tools @tools.json 'Weather in Rome?'",
    )
    tool_choice: Flag[str | JsonObject | None] = parameter(
        None,
        ToolChoiceType(),
        "Tool to call: a mode, a function, JSON or @FILE.",
        example="llamacli ask --tools @tools.json --tool-choice get_weather 'Weather in Rome?'",
    )
    parallel_tool_calls: Flag[bool | None] = plain(None, Switch(), "Allow several tool calls at once.")
    prediction: Flag[JsonObject | None] = parameter(
        None,
        PredictionType(),
        "Predicted output; TEXT or @FILE.",
        example="llamacli ask --prediction @main.py -f main.py 'Rename x to y:'",
    )
    echo: Flag[bool | None] = plain(None, Switch(), "Include the prompt in the answer.")
    stream: Flag[bool | None] = plain(None, Switch(), "Stream the answer; with ask --json, one chunk per line.")
    param: Flag[JsonObject | None] = parameter(
        None,
        ParamFieldType(),
        "Set any request field, unchecked; VALUE is JSON or text.",
        "-p",
        multiple=True,
        example="llamacli ask -p reasoning_effort=low -p top_a=0.2 hello",
    )

    def body(self, messages: Sequence[Mapping[str, object]], *, stream: bool | None, usage: bool) -> RequestBody:
        """Returns the request body.

        `stream` is the value to send, None to omit it; `usage` requests token counts at
        the end of a stream. Raises UsageError if parameters contradict each other.
        """
        if self.top_logprobs is not None and not self.logprobs and "logprobs" not in (self.param or {}):
            raise UsageError("--top-logprobs (or LLAMACLI_TOP_LOGPROBS) needs --logprobs")
        values = {name: getattr(self, name) for name in self.flags() if name not in ("model", "stream", "param")}
        body: RequestBody = {"model": self.model, "messages": messages}
        body |= {name: value for name, value in values.items() if value is not None}
        if stream is not None:
            body["stream"] = stream
        if stream and usage:
            body["stream_options"] = {"include_usage": True}
        return body | (self.param or {})
