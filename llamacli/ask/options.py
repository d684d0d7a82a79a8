"""The flags of a question: what it is made of, and how its answer is shown."""

from typing import TYPE_CHECKING, Annotated, Any, cast

from llamacli.ask.params import JsonType, Params
from llamacli.cli.shared import DecodingOptions, DisplayOptions, OutputFile
from llamacli.cli.table import Flag, Options
from llamacli.cli.types import AtFile, Integer, ParamType, PathType, Switch
from llamacli.errors import ExitStatus, LlamaError
from llamacli.http.options import EndpointOptions, NetworkOptions, PreviewOptions

if TYPE_CHECKING:
    from llamacli.ask.structured.formats import AnswerFormat
    from llamacli.ask.structured.loop import ValidationLoop
    from llamacli.ask.structured.schema import Schema


class OutputOptions(Options):
    """What of the answer is printed."""

    title = "Output"

    json: Annotated[bool, Flag(Switch(), "Print the API's full response as JSON.")] = False
    null: Annotated[bool, Flag(Switch(), "End each answer with a NUL byte in place of the newline.", "-0")] = False
    allow_truncated: Annotated[bool, Flag(Switch(), "End with 0 where the token limit cut the answer.")] = False


class ChoiceList(ParamType):
    """One value is a list separated by commas, several are one choice each."""

    metavar = "A,B,C"

    def join(self, values: list[object]) -> object:
        texts = cast("list[str]", values)
        choices = texts if len(texts) > 1 else [part.strip() for part in texts[0].split(",")]
        if not all(choice.strip() for choice in choices):
            raise LlamaError(ExitStatus.USAGE, "--choice: a choice is empty", "separate choices by single commas")
        return list(dict.fromkeys(choices))


class SchemaType(AtFile):
    """A JSON Schema as JSON, or in the concise notation."""

    metavar = "SCHEMA"

    def parse(self, text: str) -> object:
        from llamacli.ask.structured import schema

        return schema.parse_schema(text)


class FormatOptions(Options):
    """The format of the answer."""

    title = "Structured answers"
    note = "The first three force a function call; if the server refuses tools, they ask in plain words."

    choice: Annotated[
        list[str] | None,
        Flag(ChoiceList(), "Print exactly one of these (repeat for values with commas).", multiple=True),
    ] = None
    yes_no: Annotated[bool, Flag(Switch(), "Print yes or no; ask and chat exit 0 or 1.")] = False
    schema: Annotated[
        "Schema | None",
        Flag(SchemaType(), "Print JSON of this schema: JSON, @FILE or 'name, age int'."),
    ] = None
    fit_retries: Annotated[int, Flag(Integer(0), "Number of times to ask again if an answer does not fit.")] = 1
    extract: Annotated[bool, Flag(Switch(), "Print only the first fenced code block.", "-x")] = False
    keep_thinking: Annotated[bool, Flag(Switch(), "Keep <think>...</think> at the start of an answer.")] = False

    def validation_loop(self) -> "ValidationLoop | None":
        """Returns the loop that asks for the format, None without one. Raises LlamaError (usage) if there are two."""
        formats = [name for name in ("choice", "yes_no", "schema", "extract") if getattr(self, name)]
        if len(formats) > 1:
            names = " and ".join("--" + name.replace("_", "-") for name in formats)
            raise LlamaError(ExitStatus.USAGE, f"{names} cannot be combined", "choose one")
        if not formats or self.extract:
            return None
        from llamacli.ask.structured.loop import ValidationLoop

        return ValidationLoop(self._answer_format(), self.fit_retries)

    def _answer_format(self) -> "AnswerFormat":
        # Imported only if there is a format, which is rare.
        from llamacli.ask.structured.formats import ChoiceFormat, SchemaFormat, YesNoFormat

        if self.schema:
            return SchemaFormat(self.schema)
        return ChoiceFormat(self.choice) if self.choice else YesNoFormat()


class MarkdownSwitch(Switch):
    """A switch that can also be set to `always`, which is for pipes to a pager."""

    def parse(self, text: str) -> bool | str:  # type: ignore[override]
        word = text.strip().lower()
        return word if word == "always" else super().parse(text)


class UsageOptions(Options):
    """What is shown beside the answer."""

    title = "Display"
    note = "Each but --reasoning has a default in the environment: LLAMACLI_USAGE and so on."

    usage: Annotated[bool, Flag(Switch(), "Show tokens, cost and timings on stderr.", "-u", env=True)] = False
    markdown: Annotated[
        bool | str, Flag(MarkdownSwitch(), "Render the answer as Markdown on a terminal.", env=True)
    ] = False
    reasoning: Annotated[bool, Flag(Switch(), "Show the model's reasoning on stderr.")] = False


class MessagesType(JsonType):
    """An array of messages, as the API takes them."""

    def parse(self, text: str) -> object:
        value = super().parse(text)
        if not isinstance(value, list) or not all(isinstance(item, dict) and item.get("role") for item in value):
            raise ValueError("is not a JSON array of messages, each with a role")
        return value


class ContextOptions(Options):
    """What every question of a call contains."""

    title = "Input"

    system: Annotated[
        str | None,
        Flag(
            AtFile(),
            "System message; TEXT or @FILE.",
            "-s",
            example="llamacli ask -s @review.txt -f main.py",
        ),
    ] = None
    role: Annotated[
        str | None,
        Flag(
            ParamType("NAME", completes="role"),
            "System message from roles/NAME.md in the config folder.",
            "-r",
        ),
    ] = None
    messages: Annotated[
        list[dict[str, Any]] | None,
        Flag(
            MessagesType(),
            "Messages to put before the prompt; JSON or @FILE.",
            example="llamacli ask --messages @examples.json 'good service'",
        ),
    ] = None
    file: Annotated[
        list[str] | None,
        Flag(
            PathType(),
            "Append a file or picture to the prompt.",
            "-f",
            multiple=True,
            example="llamacli ask -f main.py -f test.py 'What did I miss?'",
        ),
    ] = None
    files_from: Annotated[
        str | None,
        Flag(
            PathType(),
            "Append every file listed in FILE; - for stdin.",
            example="git ls-files '*.py' | llamacli ask --files-from - 'Find bugs:'",
        ),
    ] = None


class InputOptions(ContextOptions):
    """What else is asked beside the words of the prompt."""

    edit: Annotated[bool, Flag(Switch(), "Write the prompt in $VISUAL or $EDITOR.", "-e")] = False
    no_stdin: Annotated[bool, Flag(Switch(), "Do not read stdin.", "-I", aliases=("--ignore-stdin",))] = False


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
)
