"""THE table of request parameters: one field is one key of the API, one flag, one environment default."""

import json
import re
from functools import partial
from typing import Annotated, Any

from llamacli.api.json import json_fault, parse_json
from llamacli.cli.table import Flag, Options
from llamacli.cli.types import AtFile, Integer, KeyValue, Number, ParamType, Switch
from llamacli.errors import ExitStatus, LlamaError

DEFAULT_MODEL = "meta-llama/Llama-3.3-70B-Instruct-Turbo"


class JsonType(AtFile):
    """A JSON value of one type."""

    metavar = "JSON"

    def parse(self, text: str) -> object:
        try:
            return parse_json(text)
        except json.JSONDecodeError as error:
            raise ValueError(json_fault(error)) from None


class ToolsType(JsonType):
    """The API takes at most 128 tools, in an array."""

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
            raise ValueError("is neither none, auto or required nor a function's name: at most 64 of a-z A-Z 0-9 _ -")
        return {"type": "function", "function": {"name": text}}


class PredictionType(AtFile):
    def parse(self, text: str) -> object:
        return {"type": "content", "content": text}


class StopType(ParamType):
    def join(self, values: list[object]) -> object:
        if len(values) > 4:
            raise LlamaError(ExitStatus.USAGE, "--stop: the API takes at most 4 sequences")
        return values


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


parameter = partial(Flag, env=True)


# A plain one can do no harm beyond a bad answer, whoever set it.
plain = partial(Flag, env=True, untrusted=True)


class Params(Options):
    """The request parameters of POST /chat/completions, in the API's own names and ranges.

    None means that the parameter is not in the body. `param` holds what `--param`
    adds to the body, unchecked and last.
    """

    title = "Request"
    note = "Each has a default in the environment: LLAMACLI_MODEL, LLAMACLI_TOP_P and so on."

    model: Annotated[str, plain(ParamType("MODEL", completes="model"), "Ask this model.", "-m")] = DEFAULT_MODEL
    max_tokens: Annotated[int | None, plain(Integer(1), "Cut the answer after this many tokens.")] = None
    temperature: Annotated[float | None, plain(Number(0, 2), "Sample with this temperature.", "-t")] = None
    top_p: Annotated[float | None, plain(Number(0.01, 1), "Sample from this share of probability mass.")] = None
    top_k: Annotated[int | None, plain(Integer(), "Sample from this many likeliest tokens.")] = None
    min_p: Annotated[
        float | None, plain(Number(0.001, 0.999), "Drop tokens less likely than this share of the likeliest.")
    ] = None
    n: Annotated[int | None, plain(Integer(1), "Ask for this many answers.", "-n")] = None
    stop: Annotated[
        list[str] | None,
        plain(
            StopType(),
            "Stop where this text would come; at most 4.",
            multiple=True,
            example="llamacli ask --stop END --stop '. ' tell me a story",
        ),
    ] = None
    seed: Annotated[int | None, plain(Integer(1), "Sample repeatably.")] = None
    frequency_penalty: Annotated[float | None, plain(Number(-2, 2), "Penalise tokens by how often they came.")] = None
    presence_penalty: Annotated[float | None, plain(Number(-2, 2), "Penalise tokens that came at all.")] = None
    repetition_penalty: Annotated[float | None, plain(Number(), "Penalise repetition by this factor.")] = None
    logit_bias: Annotated[
        dict[str, float] | None,
        parameter(
            LogitBiasType(),
            "Make a token more or less likely.",
            multiple=True,
            example="llamacli ask --logit-bias 1734=-100 --logit-bias 42=5 hello",
        ),
    ] = None
    logprobs: Annotated[
        bool | None, plain(Switch(), "Ask for log probabilities; ask and chat show them with --json.")
    ] = None
    top_logprobs: Annotated[
        int | None,
        plain(
            Integer(0, 20),
            "Ask for the likeliest tokens at each place; needs --logprobs.",
            example="llamacli ask --json --logprobs --top-logprobs 3 hello",
        ),
    ] = None
    tools: Annotated[
        list[dict[str, Any]] | None,
        parameter(
            ToolsType(),
            "Offer these tools; JSON or @FILE.",
            example="llamacli ask --tools @tools.json 'Weather in Rome?'",
        ),
    ] = None
    tool_choice: Annotated[
        str | dict[str, Any] | None,
        parameter(
            ToolChoiceType(),
            "Choose tools: none, auto, required, a function's name, JSON or @FILE.",
            example="llamacli ask --tools @tools.json --tool-choice get_weather 'Weather in Rome?'",
        ),
    ] = None
    parallel_tool_calls: Annotated[bool | None, plain(Switch(), "Allow several tool calls at once.")] = None
    prediction: Annotated[
        dict[str, Any] | None,
        parameter(
            PredictionType(),
            "Tell what the answer will mostly be; TEXT or @FILE.",
            example="llamacli ask --prediction @main.py -f main.py 'Rename x to y:'",
        ),
    ] = None
    echo: Annotated[bool | None, plain(Switch(), "Have the prompt repeated in the answer.")] = None
    stream: Annotated[
        bool | None,
        plain(
            Switch(),
            "Take the answer as it is written, as ask and chat mostly do; with their --json, a line a chunk.",
        ),
    ] = None
    param: Annotated[
        dict[str, Any] | None,
        parameter(
            KeyValue(),
            "Put any key into the body, unchecked and last; VALUE is JSON or text.",
            "-p",
            multiple=True,
            example="llamacli ask -p reasoning_effort=low -p top_a=0.2 hello",
        ),
    ] = None

    def body(self, messages: list[Any], *, stream: bool | None, usage: bool) -> dict[str, Any]:
        """Returns the request body.

        `stream` is the value to send, None to leave it out; with `usage` a stream is
        asked to end with its token counts. Raises LlamaError (usage) where parameters
        contradict each other.
        """
        if self.top_logprobs is not None and not self.logprobs and "logprobs" not in (self.param or {}):
            raise LlamaError(ExitStatus.USAGE, "--top-logprobs or its default in the environment needs --logprobs")
        own = {name: getattr(self, name) for name in self.flags() if name not in ("model", "stream", "param")}
        body: dict[str, Any] = {"model": self.model, "messages": messages}
        body |= {name: value for name, value in own.items() if value is not None}
        if stream is not None:
            body["stream"] = stream
        if stream and usage:
            body["stream_options"] = {"include_usage": True}
        return body | (self.param or {})
