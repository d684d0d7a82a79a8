"""The messages of a request, made of words, files and stdin."""

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, cast

from llamacli.api.messages import Content, ContentPart
from llamacli.ask.options import ContextOptions, InputOptions
from llamacli.ask.params import Params
from llamacli.cli.spec import LoadedOptions
from llamacli.errors import UsageError
from llamacli.stdio.input import Environment, InputReader, display_path
from llamacli.stdio.text import split_names

if TYPE_CHECKING:
    from llamacli.ask.prompt_file import PromptFile

#: Dashes that word processors and web pages put in place of `-` and `--`.
OTHER_DASHES = ("\u2010", "\u2011", "\u2012", "\u2013", "\u2014", "\u2015", "\u2212")
STDIN_PLACEHOLDER = "{stdin}"
#: What stands between the prompt, each file and the text of stdin.
SEPARATOR = "\n\n"

RequestMessage = Mapping[str, object]


class TextFile:
    """A file of text; str() marks the content with the file's name."""

    def __init__(self, path: str, text: str) -> None:
        self.path, self.text = path, text

    def __str__(self) -> str:
        return f'<file name="{display_path(self.path)}">\n{self.text}\n</file>'


Attachment = TextFile | ContentPart


class Question:
    """What is asked: the prompt, its files, and the text of stdin.

    `prompt` returns the prompt, with the text of stdin in it if `is_inline`.
    """

    def __init__(
        self, prompt: Callable[[str], str], attachments: Sequence[Attachment], stdin: str, is_inline: bool
    ) -> None:
        self.prompt, self.attachments = prompt, attachments
        self.stdin, self.is_inline = stdin, is_inline

    @property
    def texts(self) -> list[str]:
        """The texts of the files and of stdin."""
        return [*(file.text for file in self.attachments if isinstance(file, TextFile)), self.stdin]

    def content(self, texts: Sequence[str | None] | None = None) -> Content:
        """Returns the content of the message, "" for nothing.

        The prompt comes first, then files and stdin, each after a blank line. `texts` are
        sent in place of the question's own, and None omits a file or stdin.
        """
        *files, stdin = self.texts if texts is None else texts
        remaining = iter(files)
        parts: list[str | Attachment] = []
        for part in self.attachments:
            if not isinstance(part, TextFile):
                parts.append(part)
            elif (text := next(remaining)) is not None:
                parts.append(TextFile(part.path, text))
        return join_parts([self.prompt(stdin or ""), *parts, "" if self.is_inline else stdin or ""])

    def with_text(self, text: str) -> "Question":
        """Returns the question with one text for all files and stdin."""
        pictures = [part for part in self.attachments if not isinstance(part, TextFile)]
        return Question(self.prompt, pictures, text, self.is_inline)


def context_messages(options: ContextOptions, inputs: InputReader) -> list[RequestMessage]:
    """Returns the system message and --messages, which every question has."""
    text = system(options, inputs)
    return [*([{"role": "system", "content": text}] if text else []), *(options.messages or [])]


def question(words: list[str], options: InputOptions, inputs: InputReader) -> Question:
    """Returns what is asked.

    The prompt is the words joined by one space; if it contains `{stdin}`, stdin's text goes there.
    With a prompt file, its text is the prompt and the words follow it. Raises UsageError.
    """
    file = options.prompt_file
    prompt = " ".join(inputs.argument(word, "the prompt") for word in words if word != "-")
    if options.edit and not file:
        prompt = inputs.edit(prompt)
    # Files and variables may read stdin, and the prompt gets it only if they do not.
    values = variables(file, options, inputs) if file else {}
    files = attachments(options, inputs)
    stdin = _stdin(words, options, inputs)
    is_inline = stdin is not None and (file.has_stdin if file else STDIN_PLACEHOLDER in prompt)

    def render(text: str) -> str:
        if file:
            rendered = file.render(values, prompt, None if stdin is None else text)
            return join_texts([rendered, "" if file.has_words else prompt])
        return prompt.replace(STDIN_PLACEHOLDER, text) if is_inline else prompt

    # Errors in a prompt file are reported before anything else is done.
    rendered = render(stdin or "")
    if not is_inline or (options.edit and file):
        final = inputs.edit(rendered) if options.edit and file else rendered
        return Question(lambda text: final, files, "" if is_inline else stdin or "", False)
    return Question(render, files, stdin or "", True)


def content(options: LoadedOptions, env: Environment) -> Content:
    """Returns what is asked, shortened as --overflow says; "" for nothing."""
    input = options[InputOptions]
    query = question(options.operands("prompt"), input, env.input)
    if input.overflow == "fail":
        return query.content()
    if input.overflow == "map":
        message = "--overflow map cannot be used in a conversation"
        raise UsageError(message, "use ask without -c, or --overflow head, tail or middle")
    from llamacli.ask.overflow import truncate

    texts, note = truncate(query.texts, max_input_tokens(query, options), input.overflow)
    if note:
        env.stderr.note(note)
    return query.content(texts)


def max_input_tokens(query: Question, options: LoadedOptions) -> int:
    """Returns --max-input, or how many tokens of text the context leaves."""
    input, params = options[InputOptions], options[Params]
    if input.max_input is not None:
        return input.max_input
    from llamacli.ask.overflow import default_limit

    system_text = input.role.text if input.role else input.system or ""
    others = [system_text, *(str(message.get("content")) for message in input.messages or []), query.prompt("")]
    return default_limit(params.model, params.max_tokens, others)


def join_texts(texts: Iterable[str]) -> str:
    """Joins texts by blank lines, without the empty ones."""
    return SEPARATOR.join(text for text in texts if text)


def require_content(content: Content) -> Content:
    """Returns the content. Raises UsageError if it is empty."""
    if not content:
        raise UsageError("nothing to ask", "give a prompt, pipe text in, or see --help")
    return content


def join_parts(parts: Iterable[str | Attachment]) -> Content:
    """Joins texts and pictures to a message's content, "" if it is blank."""
    joined: list[str | ContentPart] = []
    for is_text, group in groupby((part for part in parts if part), lambda part: isinstance(part, (str, TextFile))):
        if not is_text:
            joined += cast("Iterable[ContentPart]", group)
        elif (text := join_texts(map(str, group))).strip().strip("\ufeff"):
            # A byte order mark alone is what an editor saves of an empty file.
            joined.append(text)
    if not joined or (len(joined) == 1 and isinstance(joined[0], str)):
        return str(joined[0]) if joined else ""
    return [{"type": "text", "text": part} if isinstance(part, str) else part for part in joined]


def attachments(options: ContextOptions, inputs: InputReader) -> list[Attachment]:
    """Returns the files of --file, then those of --files-from."""
    paths = list(options.file or [])
    if options.files_from is not None:
        paths += split_names(inputs.file_bytes(options.files_from, "--files-from"), "--files-from")
    return [attachment(path, inputs) for path in paths]


def attachment(path: str, inputs: InputReader) -> Attachment:
    """Reads a picture or text to attach. Raises UsageError."""
    data = inputs.text_or_picture(path)
    if isinstance(data, str):
        return TextFile(path, data)
    from base64 import b64encode

    media_type, picture = data
    return {"type": "image_url", "image_url": {"url": f"data:{media_type};base64,{b64encode(picture).decode()}"}}


def check_words(options: LoadedOptions, note: Callable[[str], None]) -> None:
    """Raises UsageError if the prompt starts with a file or contains an option typed with the wrong dash.

    The shell may have expanded `-f *.py`, and a web page may have changed `--model`. After `--` every
    word belongs to the prompt. A prompt that is only the name of a file gets a note.
    """
    words, has_files = options.operands("prompt"), options[InputOptions].from_flag("file")
    if has_files and words and words[0] != "-" and not options.call.has_separator and os.path.isfile(words[0]):
        raise UsageError(
            f"the prompt begins with the file '{display_path(words[0])}', but each --file takes only one",
            "repeat -f, or use --files-from; if the name belongs to the prompt, put -- before it",
        )
    for word in [] if options.call.has_separator else words:
        if word.startswith(OTHER_DASHES):
            name = word.partition("=")[0].lstrip("".join(OTHER_DASHES))
            option = f"--{name}" if len(name) > 1 else f"-{name}"
            if any(option in flag.names for flag in options.call.command.flags):
                hint = f"type {option}; if the word belongs to the prompt, put -- before the prompt"
                raise UsageError(f"'{word}' does not begin with the dash of an option", hint)
    if len(words) == 1 and not options.call.has_separator and _names_file(name := words[0].removeprefix("@")):
        note(f"the prompt is the name of a file; to send its text: -f {display_path(name)}")


def _names_file(text: str) -> bool:
    return ("." in text or "/" in text) and len(text) < 256 and os.path.isfile(text)


def _stdin(words: list[str], options: InputOptions, inputs: InputReader) -> str | None:
    """Returns the text of stdin, None if it is not part of the prompt."""
    if "-" in words:
        if options.no_stdin:
            raise UsageError("the word -, which reads stdin, cannot be combined with --no-stdin", "drop one of them")
        return inputs.stdin("the word -")
    if options.no_stdin or inputs.stdin_taker or not inputs.stdin_is_piped():
        return None
    inputs.note_shared_stdin()
    return inputs.stdin("the prompt")


def system(options: ContextOptions, inputs: InputReader) -> str | None:
    """Returns the system message or None. Raises UsageError."""
    _check_variables(options)
    if options.role:
        return options.role.render_role(variables(options.role, options, inputs))
    if options.system and _names_file(options.system):
        inputs.note(f"--system is the name of a file; to send its text: -s @{options.system}")
    return options.system


def variables(file: "PromptFile", options: ContextOptions, inputs: InputReader) -> dict[str, str]:
    """Returns the variables that a file uses; `@FILE` is read."""
    texts = {**file.defaults, **(options.var or {})}
    return {name: inputs.at_file(texts[name], f"variable {name}") for name in file.variables & texts.keys()}


def _check_variables(options: ContextOptions) -> None:
    """Raises UsageError for a --var that no file uses."""
    files = [file for file in (options.prompt_file, options.role) if file]
    known = sorted(set().union(*(file.variables for file in files)))
    for name in options.var or {}:
        if not files:
            raise UsageError("--var sets variables of a prompt file", "name the file with -P")
        if name not in known:
            message = f"--var: {display_path(files[0].path)} has no variable '{name}'"
            raise UsageError(message, f"its variables: {', '.join(known) or 'none'}")
