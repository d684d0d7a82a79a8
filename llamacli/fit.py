"""The flags that give the answer a form: one of some choices, yes or no, JSON of a schema, a code block."""

from typing import TYPE_CHECKING, Annotated, cast

from llamacli.errors import ExitStatus, LlamaError
from llamacli.kinds import AtFile, Integer, Kind, Switch
from llamacli.options import Flag, Table

if TYPE_CHECKING:
    from llamacli.fitting import Fitting
    from llamacli.forms import Form
    from llamacli.schema import Schema


class Choices(Kind):
    """One value is a list with commas, several are a choice each."""

    metavar = "A,B,C"

    def join(self, values: list[object]) -> object:
        texts = cast("list[str]", values)
        choices = texts if len(texts) > 1 else [part.strip() for part in texts[0].split(",")]
        if not all(choice.strip() for choice in choices):
            raise LlamaError(ExitStatus.USAGE, "--choice: there is an empty choice", "give each a name")
        return list(dict.fromkeys(choices))


class SchemaKind(AtFile):
    """A JSON Schema as JSON text, or in the short notation."""

    metavar = "SCHEMA"

    def parse(self, text: str) -> object:
        from llamacli import schema

        return schema.read(text)


class FitOptions(Table):
    """What form the answer is to have."""

    title = "Form of the answer"
    note = "The first three are asked for by a forced function call, or in words where the server refuses tools."

    choice: Annotated[
        list[str] | None,
        Flag(Choices(), "Print exactly one of these; repeated, each is one choice, commas and all.", many=True),
    ] = None
    yes_no: Annotated[bool, Flag(Switch(), "Print yes or no; ask and chat end with 0 or 1.")] = False
    schema: Annotated[
        "Schema | None",
        Flag(SchemaKind(), "Print JSON that satisfies this JSON Schema: JSON, @FILE or 'name, age int, tags [str]'."),
    ] = None
    fit_retries: Annotated[int, Flag(Integer(0), "Ask again this often where the answer does not fit.")] = 1
    extract: Annotated[bool, Flag(Switch(), "Print only the inside of the first fenced code block.", "-x")] = False

    def fitting(self) -> "Fitting | None":
        """Returns what asks for the form that was given, None where none was. Raises LlamaError (usage)."""
        given = [name for name in ("choice", "yes_no", "schema", "extract") if getattr(self, name)]
        if len(given) > 1:
            names = " and ".join("--" + name.replace("_", "-") for name in given)
            raise LlamaError(ExitStatus.USAGE, f"{names} each ask for a form of their own", "give one of them")
        if not given or self.extract:
            return None
        from llamacli.fitting import Fitting

        return Fitting(self._form(), self.fit_retries)

    def _form(self) -> "Form":
        # Where no form is given, which is mostly so, none of this is imported.
        from llamacli.forms import Choice, Json, YesNo

        if self.schema:
            return Json(self.schema)
        return Choice(self.choice) if self.choice else YesNo()
