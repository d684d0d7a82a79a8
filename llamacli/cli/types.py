"""The types of flag values: each parses a text or says what is wrong."""

import math
import re
from typing import cast

from llamacli.config import FALSE_WORDS, TRUE_WORDS
from llamacli.stdio.text import expand_home


class ParamType:
    """A plain text.

    The message of a ValueError from `parse` continues a sentence that begins with the text.
    """

    #: The placeholder for the value in help and completions.
    metavar = "TEXT"
    #: `@FILE` and `@-` are read before `parse` is called.
    at_file = False
    #: `parse` takes the text undecoded: a file name, or text that is decoded later.
    undecoded = False
    #: Errors and `config show` never show the text.
    is_secret = False
    #: The allowed range in words, "" if there is none.
    range = ""
    #: Fixed values that a shell completes.
    values: tuple[str, ...] = ()
    #: What else a shell completes: "file", "model", "role", "session", or "field" for a file after KEY=@.
    completes = ""

    def __init__(self, metavar: str = "", *, values: tuple[str, ...] = (), completes: str = "") -> None:
        if values:
            self.values, self.metavar = values, "|".join(values)
        if completes:
            self.completes = completes
        if metavar:
            self.metavar = metavar

    @property
    def constraint(self) -> str:
        """The range as help shows it."""
        return self.range

    def parse(self, text: str) -> object:
        return text

    def join(self, values: list[object]) -> object:
        """Combines the values of a repeated flag."""
        return values


class AtFile(ParamType):
    """A text, or `@FILE` or `@-` to read it from a file or stdin."""

    at_file = True


class PathType(ParamType):
    """A file name, which need not be UTF-8."""

    metavar = "FILE"
    undecoded = True
    completes = "file"

    def parse(self, text: str) -> str:
        return expand_home(text)


class OptionalValue(ParamType):
    """A flag with an optional value: `--flag` or `--flag=VALUE`."""


class Switch(ParamType):
    """A flag without a value; in the environment, true or false."""

    metavar = ""

    def parse(self, text: str) -> bool:
        word = text.strip().lower()
        if word not in TRUE_WORDS + FALSE_WORDS:
            raise ValueError("is not true or false")
        return word in TRUE_WORDS


class Number(ParamType):
    """A finite number within inclusive bounds, an int if written as one."""

    metavar = "NUMBER"
    noun = "a number"
    form = r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?"

    def __init__(self, low: float | None = None, high: float | None = None, metavar: str = "") -> None:
        super().__init__(metavar)
        self.low, self.high = low, high
        if low is not None and high is not None:
            self.range = f"{low} to {high}"
        elif low is not None:
            self.range = f"at least {low}"

    def parse(self, text: str) -> int | float:
        expected = f"{self.noun} {'of' if self.high is None else 'from'} {self.range}" if self.range else self.noun
        # int() and float() would accept "1_000", "nan" and digits of other alphabets.
        if len(text) > 400 or not re.fullmatch(self.form, text, re.ASCII):
            raise ValueError(f"is not {expected}")
        value = float(text) if re.search(r"[.eE]", text) else int(text)
        too_low = self.low is not None and value < self.low
        too_high = self.high is not None and value > self.high
        if too_low or too_high or value in (math.inf, -math.inf):
            raise ValueError(f"is out of range: expected {expected}")
        return value


class Seconds(Number):
    """A duration in seconds; its range is too wide to be worth showing."""

    metavar = "SECONDS"
    noun = "a number of seconds"
    constraint = ""


class Integer(Number):
    metavar = "N"
    noun = "an integer"
    form = r"[+-]?\d+"


class Pattern(ParamType):
    """A text that matches a regular expression, in `words` for errors."""

    constraint = ""

    def __init__(
        self, metavar: str, form: str, words: str, *, values: tuple[str, ...] = (), completes: str = ""
    ) -> None:
        super().__init__(metavar, values=values, completes=completes)
        self.regex, self.range = form, words

    def parse(self, text: str) -> str:
        if not re.fullmatch(self.regex, text):
            raise ValueError(f"is invalid: expected {self.range}")
        return text


UNIT_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}


class Age(ParamType):
    """A time span like `30d` or `12h`, or `inf`: seconds."""

    metavar = "AGE"

    def parse(self, text: str) -> float:
        if text.strip() == "inf":
            return math.inf
        span = re.fullmatch(r"\s*(\d{1,9})([smhdw])\s*", text, re.ASCII)
        if not span:
            raise ValueError("is not a time span like 30d, 12h or inf")
        return float(int(span[1]) * UNIT_SECONDS[span[2]])


class Choice(ParamType):
    """One of several fixed words."""

    def __init__(self, *values: str, metavar: str = "") -> None:
        super().__init__(metavar or "|".join(values))
        self.values = values

    def parse(self, text: str) -> str:
        if text not in self.values:
            raise ValueError(f"is not one of {', '.join(self.values)}")
        return text


class KeyValue(ParamType):
    """`KEY=VALUE` with JSON or a string; repeated, it makes an object."""

    metavar = "KEY=VALUE"

    def parse(self, text: str) -> tuple[str, object]:
        key, equals, value = text.partition("=")
        if not key or not equals:
            raise ValueError(f"is not {self.metavar}")
        return key, self.value(value)

    def value(self, text: str) -> object:
        # Help needs no JSON.
        from json import JSONDecodeError

        from llamacli.api.json import parse_json

        try:
            return parse_json(text)
        except JSONDecodeError:
            return text

    def join(self, values: list[object]) -> object:
        return dict(cast("list[tuple[str, object]]", values))
