"""Suggestions for mistyped words. Imported only after a mistake."""

import re
from collections.abc import Iterable, Mapping, Sequence
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


def _by_word(words: Mapping[str, str]) -> dict[str, str]:
    return {word: advice for advice, text in words.items() for word in text.split()}


#: Options of other tools (llm, aichat, mods, sgpt, curl): ours that does the same, or how to do it.
OPTION_SYNONYMS = _by_word(
    {
        _NO_KEY_FLAG: "--api-key --key --token --auth --api-token --bearer --password",
        "--base-url": "--url --api-base --api-url --host --server --base",
        "--extract": "--code --extract-last",
        "--markdown": "--md",
        "output is plain text unless --markdown is set": "--no-md --plain-text --raw",
        "--markdown, --json or --schema": "--format --output-format",
        f"'{PROGRAM} chat -S NAME' continues a conversation": "--chat",
        f"'{PROGRAM} chat' is interactive": "--repl",
        "--session": "--conversation --cid --title",
        "--continue": "--continue-last --resume",
        "--retry": "--max-retries --retries",
        "-p reasoning_effort=VALUE": "--reasoning-effort --effort",
        "--reasoning": "--think --thinking",
        "-p max_completion_tokens=N": "--max-completion-tokens",
        "--max-tokens": "--max-output-tokens --max-length --num-predict",
        "--top-p": "--topp",
        "--param": "--option --extra-body",
        "--schema": "--response-format --json-schema",
        "--tools": "--function --functions --tool",
        "--stop": "--stop-sequence",
        "--system": "--system-prompt --instructions",
        "the prompt needs no option: write it as it is": "--prompt --message",
        "--prompt-file": "--template --role-file",
        "--file": "-a --attachment --attach --images --context --image --fragment --input-file",
        "--output": "--out --output-file",
        "--usage-log": "--log --log-file",
        "--quiet": "--silent",
        "--verbose": "--debug",
        f"'{PROGRAM} models' lists the models": "--list-models --models",
        f"'{PROGRAM} sessions' lists the conversations": "--list-chats --list-sessions",
        f"'{PROGRAM} models' and '{PROGRAM} sessions' list what is available": "--list",
        f"'{PROGRAM} sessions show NAME' prints a conversation": "--show-chat",
        f"'{PROGRAM} config show' prints the settings": "--settings --config --info",
        f"'{PROGRAM} ask -x' prints only the code": "--shell --execute",
        f"'{PROGRAM} raw' sends a JSON body": "--data -d",
        "--header": "--user-agent",
        "--cache": "--cache-ttl",
        "only --cache reuses answers": "--no-cache",
        "-p num_ctx=N": "--num-ctx",
        "--repetition-penalty": "--repeat-penalty",
        "--method": "--request",
        "set HTTPS_PROXY instead": "--proxy --http-proxy",
        "--ca-bundle": "--cacert",
        "certificates are always checked; name your own with --ca-bundle FILE": "--insecure -k",
        f"'{PROGRAM} ask' prints the answer and exits": "--print",
        "--no-save": "--no-log",
        "for a list of records: --schema '[name, age int]'": "--schema-multi",
        "--edit": "--editor",
        f"'{PROGRAM} sessions last' prints the last answer": "--show-last",
        f"'{PROGRAM} sessions rm NAME' removes a conversation": "--delete",
        "--jobs": "--workers --concurrency --parallel --threads",
        "--no-stdin": "--no-input",
    }
)
#: Commands of other tools, and words that look like one: what to run instead.
COMMAND_SYNONYMS = _by_word(
    {
        "--version": "version",
        "config set-key": "login auth set-key key keys init setup",
        "sessions": "logs history conversations",
        "sessions last": "last",
        "ask": "prompt query run generate complete",
        "chat": "repl interactive",
        "help prompts": "templates roles",
        "config set": "set",
        "config": "settings",
        "config check": "doctor check",
        "models": "model",
        "ask --curl": "curl",
        "raw": "api",
        "help environment": "env",
        "completion": "completions",
    }
)
#: The actions of commands, with the words that name them elsewhere.
ACTION_SYNONYMS = {
    "list": "ls all",
    "show": "get print view cat list ls",
    "set": "edit add",
    "rm": "delete del remove clear",
    "unset": "delete del remove rm clear",
    "grep": "search find",
    "set-key": "login",
    "check": "test",
}
#: Words that people look up, with a topic that explains them but names them too rarely to be found.
TOPIC_SYNONYMS = _by_word(
    {
        "structured": "json yes-no",
        "input": "images",
        "exit-codes": "errors status",
        "environment": "settings",
        "prompts": "templates",
        "keys": "auth trust",
        "retries": "network",
        "servers": "ollama debug",
        "usage-log": "cost price",
    }
)


def closest(word: str, words: Iterable[str], similarity: float = SIMILARITY) -> str | None:
    """Returns the word spelled most like another one, None if none is."""
    candidates = list(words)
    # In a short word, swapping two letters changes half of it, and so do capital letters.
    swapped = [candidate for candidate in candidates if sorted(candidate.lower()) == sorted(word.lower())]
    return next(iter(swapped or get_close_matches(word, candidates, 1, similarity)), None)


def did_you_mean(word: str, words: Iterable[str], otherwise: str, similarity: float = NAME_SIMILARITY) -> str:
    """Returns the hint for a mistyped name, `otherwise` if none is close."""
    candidates = list(words)
    begun = [candidate for candidate in candidates if len(word) > 2 and candidate.startswith(word)]
    close = begun[0] if len(begun) == 1 else closest(word, candidates, similarity)
    return f"did you mean '{close}'?" if close else otherwise


def unknown_action(word: str, actions: Sequence[str]) -> str:
    """Returns the hint for a word that is not an action of the command."""
    instead = [action for action, words in ACTION_SYNONYMS.items() if action in actions and word in words.split()]
    return f"did you mean '{instead[0]}'?" if instead else did_you_mean(word, actions, f"expected {listed(actions)}")


def unknown_topic(word: str, commands: Sequence[CommandSpec]) -> str:
    """Returns the hint for a word that is neither a command nor a topic."""
    names = [command.name for command in commands]
    more = [topic for topic in help.TOPICS if topic not in names]
    if close := did_you_mean(word, [*names, *more], "", SIMILARITY):
        return close
    pattern = re.compile(rf"\b{re.escape(word)}s?\b", re.IGNORECASE)
    mentions = {topic: len(pattern.findall(help.topic(topic, commands))) for topic in help.TOPICS}
    most = max(mentions, key=lambda topic: mentions[topic])
    topic = TOPIC_SYNONYMS.get(word) or (most if mentions[most] else "")
    owners = _owners(f"--{word}", commands)
    option = f"--{word} is an option of {listed(owners, 'and')}" if owners else ""
    hints = [f"see '{PROGRAM} help {topic}'" if topic else "", option]
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


def missing_value(flag: str, word: str) -> LlamaError:
    """Returns the error for a flag that is followed by another one."""
    whole = f"{flag}={word}" if flag.startswith("--") else f"{flag}{word}"
    hint = f"is a variable unset? if not, use {whole}"
    return UsageError(f"{flag} needs a value, not {word}", hint)


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
