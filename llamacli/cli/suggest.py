"""Suggestions for mistyped words. Imported only after a mistake."""

from collections.abc import Iterable
from difflib import get_close_matches
from shlex import quote

from llamacli import PROGRAM
from llamacli.cli.spec import CommandSpec
from llamacli.errors import ExitStatus, LlamaError

#: How similar two words must be, from 0 to 1, for one to be suggested for the other.
SIMILARITY = 0.8
#: The same for names, of which there are few, and which are mistyped rather than taken from another tool.
NAME_SIMILARITY = 0.6
_NO_KEY_FLAG = f"keys are never flags; store yours with '{PROGRAM} config set-key', or use --key-file FILE"
_PROMPT = "the prompt needs no option: write it as it is"
#: Options of other tools (llm, aichat, mods, sgpt, curl): ours that does the same, or how to do it.
OPTION_SYNONYMS = {
    "--api-key": _NO_KEY_FLAG,
    "--key": _NO_KEY_FLAG,
    "--token": _NO_KEY_FLAG,
    "--auth": _NO_KEY_FLAG,
    "--api-token": _NO_KEY_FLAG,
    "--bearer": _NO_KEY_FLAG,
    "--password": _NO_KEY_FLAG,
    "--url": "--base-url",
    "--api-base": "--base-url",
    "--api-url": "--base-url",
    "--host": "--base-url",
    "--server": "--base-url",
    "--base": "--base-url",
    "--code": "--extract",
    "--md": "--markdown",
    "--no-md": "output is plain text unless --markdown is set",
    "--plain-text": "output is plain text unless --markdown is set",
    "--raw": "output is plain text unless --markdown is set",
    "--format": "--markdown, --json or --schema",
    "--output-format": "--markdown, --json or --schema",
    "--chat": f"'{PROGRAM} chat -S NAME' continues a conversation",
    "--repl": f"'{PROGRAM} chat' is interactive",
    "--conversation": "--session",
    "--cid": "--session",
    "--title": "--session",
    "--continue-last": "--continue",
    "--max-retries": "--retry",
    "--retries": "--retry",
    "--reasoning-effort": "-p reasoning_effort=VALUE",
    "--effort": "-p reasoning_effort=VALUE",
    "--think": "--reasoning",
    "--thinking": "--reasoning",
    "--max-completion-tokens": "-p max_completion_tokens=N",
    "--max-output-tokens": "--max-tokens",
    "--max-length": "--max-tokens",
    "--num-predict": "--max-tokens",
    "--topp": "--top-p",
    "--option": "--param",
    "--extra-body": "--param",
    "--response-format": "--schema",
    "--json-schema": "--schema",
    "--function": "--tools",
    "--functions": "--tools",
    "--tool": "--tools",
    "--stop-sequence": "--stop",
    "--system-prompt": "--system",
    "--instructions": "--system",
    "--prompt": _PROMPT,
    "--message": _PROMPT,
    "--template": "--role",
    "--attachment": "--file",
    "--attach": "--file",
    "--images": "--file",
    "--context": "--file",
    "--image": "--file",
    "--fragment": "--file",
    "--input-file": "--file",
    "--out": "--output",
    "--output-file": "--output",
    "--log": "--usage-log",
    "--log-file": "--usage-log",
    "--silent": "--quiet",
    "--debug": "--verbose",
    "--list-models": f"'{PROGRAM} models' lists the models",
    "--models": f"'{PROGRAM} models' lists the models",
    "--list-chats": f"'{PROGRAM} sessions' lists the conversations",
    "--list": f"'{PROGRAM} models' and '{PROGRAM} sessions' list what is available",
    "--show-chat": f"'{PROGRAM} sessions show NAME' prints a conversation",
    "--settings": f"'{PROGRAM} config show' prints the settings",
    "--config": f"'{PROGRAM} config show' prints the settings",
    "--shell": f"'{PROGRAM} ask -x' prints only the code",
    "--data": f"'{PROGRAM} raw' sends a JSON body",
    "-d": f"'{PROGRAM} raw' sends a JSON body",
    "--user-agent": "--header",
    "--cache-ttl": "--cache",
    "--execute": f"'{PROGRAM} ask -x' prints only the code",
    "--role-file": "--prompt-file",
    "--num-ctx": "-p num_ctx=N",
    "--repeat-penalty": "--repetition-penalty",
    "--request": "--method",
    "--proxy": "set HTTPS_PROXY instead",
    "--cacert": "--ca-bundle",
    "--insecure": "--ca-bundle",
    "-k": "--ca-bundle",
    "--workers": "--jobs",
    "--concurrency": "--jobs",
    "--parallel": "--jobs",
    "--threads": "--jobs",
    "--no-input": "--no-stdin",
}
#: Commands of other tools, and words that look like one: what to run instead.
COMMAND_SYNONYMS = {
    "version": "--version",
    "login": "config set-key",
    "auth": "config set-key",
    "set-key": "config set-key",
    "key": "config set-key",
    "keys": "config set-key",
    "logs": "sessions",
    "history": "sessions",
    "conversations": "sessions",
    "last": "sessions",
    "prompt": "ask",
    "query": "ask",
    "run": "ask",
    "generate": "ask",
    "complete": "ask",
    "repl": "chat",
    "interactive": "chat",
    "templates": "help",
    "roles": "help files",
    "prompts": "help",
    "set": "config",
    "settings": "config",
    "init": "config set-key",
    "setup": "config set-key",
    "doctor": "config check",
    "check": "config check",
    "model": "models",
    "curl": "ask --curl",
    "api": "raw",
    "env": "help environment",
    "completions": "completion",
}


def closest(word: str, words: Iterable[str], similarity: float = SIMILARITY) -> str | None:
    """Returns the word that is spelled most like another one, or None.

    It returns None if none is close.
    """
    candidates = list(words)
    # In a short word, swapping two letters changes half of it.
    swapped = [candidate for candidate in candidates if sorted(candidate) == sorted(word)]
    return next(iter(swapped or get_close_matches(word, candidates, 1, similarity)), None)


def did_you_mean(word: str, words: Iterable[str], otherwise: str, similarity: float = NAME_SIMILARITY) -> str:
    """Returns the hint for a mistyped name, `otherwise` if none is close."""
    close = closest(word, words, similarity)
    return f"did you mean '{close}'?" if close else otherwise


def unknown_command(name: str, commands: Iterable[str]) -> LlamaError:
    """Returns the error for a word in place of a command."""
    instead = COMMAND_SYNONYMS.get(name) or closest(name, commands)
    hint = f"did you mean '{PROGRAM} {instead}'?" if instead else ""
    if instead not in ("ask", "--version"):
        hint = " ".join(filter(None, (hint, f"To ask the model: {PROGRAM} ask {quote(name)}")))
        hint = hint if instead else hint[0].lower() + hint[1:]
    return LlamaError(ExitStatus.USAGE, f"unknown command '{name}'", hint)


def unknown_option(name: str, command: CommandSpec, commands: Iterable[CommandSpec]) -> LlamaError:
    """Returns the error for an option that the command does not have."""
    return LlamaError(ExitStatus.USAGE, f"unknown option {name}", _option_hint(name, command, list(commands)))


def _option_hint(name: str, command: CommandSpec, commands: list[CommandSpec]) -> str:
    if owners := _owners(name, commands):
        return f"{name} belongs to {_listed(owners)}"
    known = [option for flag in command.flags for option in flag.names]
    synonyms = {_letters(option): text for option, text in OPTION_SYNONYMS.items()}
    synonym = OPTION_SYNONYMS.get(name) or synonyms.get(_letters(name), "")
    if " " in synonym and not synonym.startswith("-"):
        return synonym
    if synonym:
        owners = [] if synonym in known else _owners(synonym, commands)
        return f"{synonym} of {_listed(owners)} does that" if owners else f"did you mean {synonym}?"
    if name.startswith("--"):
        close = [option for option in known if option.startswith(name.replace("_", "-"))][:3]
        close = close or list(filter(None, [closest(name, known)]))
        if close:
            return f"did you mean {_listed(close, 'or')}?"
    return f"a prompt that begins with a dash goes after --: {PROGRAM} {command.name} -- {name} ..."


def _letters(option: str) -> str:
    """Returns a long option in a form that ignores spelling variants.

    It lacks what people leave out or write in other ways: --api_key is --apikey.
    """
    return "--" + option.lower().replace("-", "").replace("_", "") if option.startswith("--") else option


def _owners(option: str, commands: list[CommandSpec]) -> list[str]:
    return [command.name for command in commands if any(option in flag.names for flag in command.flags)]


def _listed(words: list[str], conjunction: str = "and") -> str:
    return f" {conjunction} ".join(filter(None, [", ".join(words[:-1]), words[-1]]))
