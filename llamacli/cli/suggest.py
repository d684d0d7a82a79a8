"""Suggestions for mistyped words. Imported only after a mistake."""

import re
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from shlex import join

from llamacli import PROGRAM
from llamacli.cli.docs import help
from llamacli.cli.spec import CommandSpec
from llamacli.errors import LlamaError, UsageError

#: How similar two words must be, from 0 to 1, for one to be suggested for the other.
SIMILARITY = 0.8
#: The same for names. There are few of them, and they are mistyped rather than taken from another tool.
NAME_SIMILARITY = 0.6
_NO_KEY_FLAG = f"keys are never flags; store yours with '{PROGRAM} config set-key', or use --key-file FILE"
_PROMPT = "the prompt needs no option: write it as it is"
_CERTIFICATES = "certificates are always checked; name your own with --ca-bundle FILE"
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
    "--template": "--prompt-file",
    "-a": "--file",
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
    "--insecure": _CERTIFICATES,
    "-k": _CERTIFICATES,
    "--resume": "--continue",
    "--print": f"'{PROGRAM} ask' prints the answer and exits",
    "--no-log": "--no-save",
    "--extract-last": "--extract",
    "--schema-multi": "for a list of records: --schema '[name, age int]'",
    "--http-proxy": "set HTTPS_PROXY instead",
    "--editor": "--edit",
    "--show-last": f"'{PROGRAM} sessions last' prints the last answer",
    "--list-sessions": f"'{PROGRAM} sessions' lists the conversations",
    "--delete": f"'{PROGRAM} sessions rm NAME' removes a conversation",
    "--info": f"'{PROGRAM} config show' prints the settings",
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
    "last": "sessions last",
    "prompt": "ask",
    "query": "ask",
    "run": "ask",
    "generate": "ask",
    "complete": "ask",
    "repl": "chat",
    "interactive": "chat",
    "templates": "help prompts",
    "roles": "help prompts",
    "set": "config set",
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
#: Words that name an action elsewhere, with the actions of ours that do the same.
ACTION_SYNONYMS = {
    "get": ("show",),
    "print": ("show",),
    "view": ("show",),
    "cat": ("show",),
    "list": ("show",),
    "ls": ("list", "show"),
    "all": ("list",),
    "edit": ("set",),
    "add": ("set",),
    "delete": ("rm", "unset"),
    "del": ("rm", "unset"),
    "remove": ("rm", "unset"),
    "rm": ("unset",),
    "clear": ("rm", "unset"),
    "search": ("grep",),
    "find": ("grep",),
    "login": ("set-key",),
    "test": ("check",),
}
#: Words that people look up, with a topic that explains them but names them too rarely to be found.
TOPIC_SYNONYMS = {
    "json": "structured",
    "yes-no": "structured",
    "images": "input",
    "errors": "exit-codes",
    "status": "exit-codes",
    "settings": "environment",
    "templates": "prompts",
    "auth": "keys",
    "trust": "keys",
    "network": "retries",
    "ollama": "servers",
    "debug": "servers",
    "cost": "usage-log",
    "price": "usage-log",
}


def closest(word: str, words: Iterable[str], similarity: float = SIMILARITY) -> str | None:
    """Returns the word spelled most like another one, None if none is."""
    candidates = list(words)
    # In a short word, swapping two letters changes half of it.
    swapped = [candidate for candidate in candidates if sorted(candidate) == sorted(word)]
    return next(iter(swapped or get_close_matches(word, candidates, 1, similarity)), None)


def did_you_mean(word: str, words: Iterable[str], otherwise: str, similarity: float = NAME_SIMILARITY) -> str:
    """Returns the hint for a mistyped name, `otherwise` if none is close."""
    candidates = list(words)
    begun = [candidate for candidate in candidates if len(word) > 2 and candidate.startswith(word)]
    close = begun[0] if len(begun) == 1 else closest(word, candidates, similarity)
    return f"did you mean '{close}'?" if close else otherwise


def unknown_action(word: str, actions: Sequence[str]) -> str:
    """Returns the hint for a word that is not an action of the command."""
    instead = [action for action in ACTION_SYNONYMS.get(word, ()) if action in actions]
    return f"did you mean '{instead[0]}'?" if instead else did_you_mean(word, actions, f"expected {listed(actions)}")


def unknown_topic(word: str, commands: Sequence[CommandSpec]) -> str:
    """Returns the hint for a word that is neither a command nor a topic."""
    names = [command.name for command in commands]
    more = [topic for topic in help.TOPICS if topic not in names]
    if word in TOPIC_SYNONYMS:
        return f"did you mean '{TOPIC_SYNONYMS[word]}'?"
    if close := did_you_mean(word, [*names, *more], "", SIMILARITY):
        return close
    pattern = re.compile(rf"\b{re.escape(word)}s?\b", re.IGNORECASE)
    mentions = {topic: len(pattern.findall(help.topic(topic, commands))) for topic in help.TOPICS}
    topic = max(mentions, key=lambda topic: mentions[topic])
    owners = _owners(f"--{word}", commands)
    option = f"--{word} is an option of {listed(owners, 'and')}" if owners else ""
    hints = [f"see '{PROGRAM} help {topic}'" if mentions[topic] else "", option]
    return "; ".join(filter(None, hints)) or f"expected a command ({listed(names)}) or a topic ({listed(more)})"


def unknown_command(words: Sequence[str], commands: Iterable[str]) -> LlamaError:
    """Returns the error for words that do not begin with a command."""
    name = words[0]
    instead = COMMAND_SYNONYMS.get(name) or closest(name, commands)
    hint = f"did you mean '{PROGRAM} {instead}'?" if instead else ""
    if instead not in ("ask", "--version"):
        # Any further word may be a key, so they are repeated only if they read like a question.
        is_question = not instead and all(re.fullmatch("[a-zA-Z]{1,15}[?!.,]?", word) for word in words)
        question = join(words) if is_question else join(words[:1]) + (" ..." if words[1:] else "")
        hint = " ".join(filter(None, (hint, f"To ask the model: {PROGRAM} ask {question}")))
        hint = hint if instead else hint[0].lower() + hint[1:]
    return UsageError(f"unknown command '{name}'", hint)


def single_dash(word: str) -> LlamaError:
    """Returns the error for a long option with one dash: -max-tokens."""
    return UsageError(f"unknown option {word}", f"did you mean -{word}?")


def unknown_option(name: str, command: CommandSpec, commands: Iterable[CommandSpec]) -> LlamaError:
    """Returns the error for an option that the command does not have."""
    return UsageError(f"unknown option {name}", _option_hint(name, command, list(commands)))


def _option_hint(name: str, command: CommandSpec, commands: list[CommandSpec]) -> str:
    known = [option for flag in command.flags for option in flag.names]
    synonyms = {_letters(option): text for option, text in OPTION_SYNONYMS.items()}
    synonym = OPTION_SYNONYMS.get(name) or synonyms.get(_letters(name), "")
    if " " in synonym and not synonym.startswith("-"):
        return synonym
    # Another command may use the name for something else, as `completion` does with --key.
    if synonym not in known and (owners := _owners(name, commands)):
        return f"{name} belongs to {listed(owners, 'and')}"
    if synonym:
        owners = [] if synonym in known else _owners(synonym, commands)
        return f"{synonym} of {listed(owners, 'and')} does that" if owners else f"did you mean {synonym}?"
    if name.startswith("--"):
        close = [option for option in known if option.startswith(name.replace("_", "-"))][:3]
        close = close or list(filter(None, [closest(name, known)]))
        if close:
            return f"did you mean {listed(close)}?"
    takes_prompt = command.name in ("ask", "chat", "batch")
    advice = f"a prompt that begins with a dash goes after --: {PROGRAM} {command.name} -- {name} ..."
    see = f"see '{PROGRAM} {command.name} --help'" if name.startswith("--") or not takes_prompt else ""
    return "; ".join(filter(None, [see, advice if takes_prompt else ""]))


def _letters(option: str) -> str:
    """Returns a long option without dashes and underscores inside."""
    return "--" + option.lower().replace("-", "").replace("_", "") if option.startswith("--") else option


def _owners(option: str, commands: Sequence[CommandSpec]) -> list[str]:
    return [command.name for command in commands if any(option in flag.names for flag in command.flags)]


def listed(words: Sequence[str], conjunction: str = "or") -> str:
    """Returns the words as a sentence lists them: `a, b or c`."""
    return f" {conjunction} ".join(filter(None, [", ".join(words[:-1]), words[-1]]))
