"""The flags of a question: its parts, and how its answer is shown."""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING, cast

from llamacli.api.json import JsonObject
from llamacli.ask.params import MessagesType, Params
from llamacli.cli.table import DecodingOptions, DisplayOptions, Flag, Options, OutputFile
from llamacli.cli.types import Age, AtFile, Choice, Integer, KeyValue, Number, ParamType, PathType, Switch
from llamacli.errors import UsageError
from llamacli.http.options import EndpointOptions, NetworkOptions, PreviewOptions
from llamacli.stdio.stderr import is_dumb

if TYPE_CHECKING:
    from llamacli.ask.prompt_file import PromptFile
    from llamacli.ask.structured.loop import ValidationLoop
    from llamacli.ask.structured.schema import Schema
    from llamacli.stdio.output import Output


class OutputOptions(Options):
    """Which part of the answer is printed, and how."""

    title = "Output"

    json: Flag[bool] = Flag(False, Switch(), "Print the API's full response as JSON.", common=True)
    null: Flag[bool] = Flag(False, Switch(), "End each answer with a NUL byte instead of a newline.", "-0")
    allow_truncated: Flag[bool] = Flag(False, Switch(), "Exit 0 even if the answer was cut at the token limit.")


class ChoiceList(ParamType):
    """Choices: one comma-separated list, or one choice in each value."""

    metavar = "A,B,C"

    def join(self, values: list[object]) -> object:
        texts = cast("list[str]", values)
        choices = texts if len(texts) > 1 else [part.strip() for part in texts[0].split(",")]
        if not all(choice.strip() for choice in choices):
            raise UsageError("--choice: a choice is empty", "separate choices by single commas")
        return list(dict.fromkeys(choices))


class SchemaType(AtFile):
    """A JSON Schema as JSON, or in the concise notation."""

    metavar = "SCHEMA"

    def parse(self, text: str) -> object:
        from llamacli.ask.structured import schema

        try:
            return schema.parse_schema(text)
        except ValueError:
            if os.path.isfile(text):
                raise ValueError(f"is a file; write @{text} to read it") from None
            raise


class FormatOptions(Options):
    """The format of the answer."""

    title = "Structured answers"
    note = "--choice, --yes-no and --schema force a function call, or ask in plain text if the server rejects tools."

    choice: Flag[list[str] | None] = Flag(
        None, ChoiceList(), "Print exactly one of these values.", multiple=True, in_prompt_file=True, common=True
    )
    yes_no: Flag[bool] = Flag(False, Switch(), "Print yes or no; ask and chat exit 0 or 1.", in_prompt_file=True)
    schema: Flag[Schema | None] = Flag(
        None, SchemaType(), "Print JSON that fits SCHEMA (JSON or @FILE).", in_prompt_file=True, common=True
    )
    fit_retries: Flag[int] = Flag(
        1, Integer(0), "Number of times to ask again if an answer does not fit.", in_prompt_file=True
    )
    extract: Flag[bool] = Flag(
        False, Switch(), "Print only the first fenced code block.", "-x", in_prompt_file=True, common=True
    )
    keep_thinking: Flag[bool] = Flag(
        False, Switch(), "Keep <think>...</think> at the start of an answer.", in_prompt_file=True
    )

    def validation_loop(self) -> ValidationLoop | None:
        """Returns the loop that asks for the format, None without one.

        Raises UsageError if there are two.
        """
        formats = [name for name in ("choice", "yes_no", "schema", "extract") if getattr(self, name)]
        if len(formats) > 1:
            names = " and ".join("--" + name.replace("_", "-") for name in formats)
            raise UsageError(f"{names} cannot be combined", "choose one")
        if not formats or self.extract:
            return None
        # Imported only if there is a format, which is rare.
        from llamacli.ask.structured.formats import ChoiceFormat, SchemaFormat, YesNoFormat
        from llamacli.ask.structured.loop import ValidationLoop

        if self.schema:
            return ValidationLoop(SchemaFormat(self.schema), self.fit_retries)
        return ValidationLoop(ChoiceFormat(self.choice) if self.choice else YesNoFormat(), self.fit_retries)


class FallbackOptions(Options):
    """The models to ask if the first one is not available."""

    title = "Network"

    fallback_model: Flag[list[str] | None] = Flag(
        None,
        ParamType("MODEL", completes="model"),
        "Model to ask after 404, 429 or 5xx.",
        multiple=True,
        env=True,
        example="llamacli ask -m gpt-5 --fallback-model gpt-5-mini hello",
    )


class CacheOptions(Options):
    """Whether answers are stored and reused."""

    title = "Cache"
    note = "The same request to the same server gets the stored answer. Only complete answers are stored."

    cache: Flag[float | None] = Flag(
        None,
        Age(),
        "Reuse stored answers up to this age.",
        env=True,
        example="llamacli ask --cache 30d 'What is the capital of France?'",
    )
    refresh: Flag[bool] = Flag(False, Switch(), "Ask again and replace the stored answer.")
    offline: Flag[bool] = Flag(False, Switch(), "Use stored answers only.")
    cache_keep: Flag[float | None] = Flag(None, Age(), "Age at which stored answers are removed (90d).", env=True)

    @property
    def is_used(self) -> bool:
        """True if answers are stored and reused."""
        return self.cache is not None or self.refresh or self.offline


class MarkdownSwitch(Switch):
    """A switch that can also be `always`, which is for pipes to a pager."""

    def parse(self, text: str) -> bool | str:  # type: ignore[override]
        word = text.strip().lower()
        return word if word == "always" else super().parse(text)


class FollowUpOptions(Options):
    """How a question relates to earlier and later ones."""

    title = "Conversation"

    continue_: Flag[bool] = Flag(
        False,
        Switch(),
        "Continue the last conversation of this terminal.",
        "-c",
        common=True,
        example="llamacli ask -c 'And in winter?'",
    )
    save: Flag[bool | None] = Flag(None, Switch(), "Save the conversation (ask: the default on a terminal).", env=True)
    keep: Flag[int] = Flag(200, Integer(1), "Number of unnamed sessions to keep.", env=True)


class MarkdownOptions(Options):
    """How text is shown on a terminal."""

    title = "Display"

    markdown: Flag[bool | str] = Flag(
        False, MarkdownSwitch(), "Render Markdown if stdout is a terminal.", env=True, in_prompt_file=True
    )

    def applies_to(self, out: Output) -> bool:
        """True if text written to this output is rendered."""
        is_wanted = out.is_stdout if self.markdown == "always" else self.markdown and out.is_terminal
        return bool(is_wanted) and not is_dumb()


class UsageOptions(MarkdownOptions):
    """What is shown in addition to the answer."""

    note = "Environment variables: LLAMACLI_USAGE, LLAMACLI_MARKDOWN and so on."

    usage: Flag[bool] = Flag(
        False, Switch(), "Show tokens, cost and timings on stderr.", "-u", env=True, in_prompt_file=True, common=True
    )
    reasoning: Flag[bool] = Flag(False, Switch(), "Show the model's reasoning on stderr.", in_prompt_file=True)


class VariableType(KeyValue):
    """NAME=VALUE of a prompt file; `@FILE` is read when it is used."""

    metavar = "NAME=VALUE"
    undecoded = True
    completes = "field"

    def parse(self, text: str) -> tuple[str, object]:
        from llamacli.ask.prompt_file import VARIABLE_NAME

        name, equals, value = text.partition("=")
        if not equals or not VARIABLE_NAME.fullmatch(name):
            raise ValueError("is not NAME=VALUE with a NAME of letters, digits, _ and -")
        return name, value


class ContextOptions(Options):
    """What every question of a call contains."""

    title = "Input"

    system: Flag[str | None] = Flag(
        None,
        AtFile(),
        "System message; TEXT or @FILE.",
        "-s",
        common=True,
        example="llamacli ask -s @review.txt -f main.py",
        in_prompt_file=True,
    )
    role: Flag[PromptFile | None] = Flag(
        None, ParamType("NAME", completes="role"), "System message from roles/NAME.md in the config folder.", "-r"
    )
    prompt_file: Flag[PromptFile | None] = Flag(
        None,
        ParamType("FILE|NAME", completes="prompt"),
        "Prompt and settings from a file, or from prompts/NAME.md.",
        "-P",
        example="git diff | llamacli ask -P review.md -V lang=de",
    )
    var: Flag[dict[str, str] | None] = Flag(
        None,
        VariableType(),
        "Set a variable of the prompt file; VALUE or @FILE.",
        "-V",
        multiple=True,
        example="llamacli ask -P translate -V lang=de -V terms=@terms.txt <notes.txt",
    )
    messages: Flag[list[JsonObject] | None] = Flag(
        None,
        MessagesType(),
        "Messages to put before the prompt; JSON or @FILE.",
        example="llamacli ask --messages @examples.json 'good service'",
        in_prompt_file=True,
    )
    file: Flag[list[str] | None] = Flag(
        None,
        PathType(),
        "Append a file or picture to the prompt.",
        "-f",
        common=True,
        multiple=True,
        example="llamacli ask -f main.py -f test.py 'What did I miss?'",
        in_prompt_file=True,
    )
    files_from: Flag[str | None] = Flag(
        None,
        PathType(),
        "Append every file listed in FILE; - for stdin.",
        example="git ls-files '*.py' | llamacli ask --files-from - 'Find bugs:'",
    )


class InputOptions(ContextOptions):
    """What is asked in addition to the words of the prompt."""

    edit: Flag[bool] = Flag(False, Switch(), "Write the prompt in $VISUAL or $EDITOR.", "-e")
    no_stdin: Flag[bool] = Flag(False, Switch(), "Do not read stdin.", "-I", aliases=("--ignore-stdin",))
    overflow: Flag[str] = Flag(
        "fail",
        Choice("fail", "head", "tail", "middle", "map", metavar="MODE"),
        "For long input: fail, head, tail, middle or map.",
        in_prompt_file=True,
        example="llamacli ask --overflow tail 'What went wrong?' <notes.txt",
    )
    max_input: Flag[int | None] = Flag(
        None,
        Integer(1, metavar="TOKENS"),
        "Maximum input, estimated (default: the model's limit).",
        in_prompt_file=True,
        example="llamacli ask --overflow map --max-input 4000 'Summarize:' <notes.txt",
    )


jobs_flag = partial(Flag, type=Integer(1, 1000), help="Maximum parallel calls.", short="-j")


class PoolOptions(Options):
    """How fast to ask, and for how much money."""

    title = "Rate and budget"

    jobs: Flag[int] = jobs_flag(8)
    rpm: Flag[float | None] = Flag(None, Number(0.001, 1_000_000), "Maximum calls started per minute.")
    max_cost: Flag[float | None] = Flag(
        None, Number(0, 1_000_000, metavar="USD"), "Budget: start no more calls once it is spent."
    )


class MapOptions(PoolOptions):
    """How fast to ask the parts of a long input."""

    note = "-j, --rpm and --max-cost apply to --overflow map."


#: The flags of a question, in the order of the help: those of ask, and of a turn of chat.
QUESTION_OPTIONS: tuple[type[Options], ...] = (
    InputOptions,
    DecodingOptions,
    Params,
    OutputOptions,
    OutputFile,
    FormatOptions,
    PreviewOptions,
    UsageOptions,
    DisplayOptions,
    EndpointOptions,
    NetworkOptions,
    FallbackOptions,
)
