"""A server's answers to requests for structured answers."""

from __future__ import annotations

import json
from typing import Any

from tests.support.fake_api import Behavior, Handler, answer, completion, document, error


def calls(*arguments: object, name: str = "give_answer", content: str | None = None, **more: Any) -> Behavior:
    """Answers with function calls; arguments that are a string are sent unchanged."""
    texts = [given if isinstance(given, str) else json.dumps(given) for given in arguments]
    made = [
        {"id": f"c{number}", "type": "function", "function": {"name": name, "arguments": given}}
        for number, given in enumerate(texts)
    ]
    return document(completion(content, "tool_calls", tool_calls=made, **more))


def fenced(inside: str, tag: str = "", fence: str = "```") -> str:
    return f"{fence}{tag}\n{inside}\n{fence}"


def refusing(code: int, said: str) -> Behavior:
    def behave(handler: Handler) -> None:
        (error(code, "no tools here") if "tools" in handler.asked.json else answer(said))(handler)

    return behave


def written_calls(arguments: object) -> list[str]:
    """Returns the texts in which Llama, Hermes and Qwen write a call as text."""
    text = json.dumps(arguments)
    call = f'{{"name": "give_answer", "parameters": {text}}}'
    return [
        call,
        call.replace("parameters", "arguments"),
        call.replace(text, json.dumps(text)),
        f'{{"type": "function", "name": "give_answer", "parameters": {text}}}',
        f'{{"type": "function", "function": {call}}}',
        f"[{call}]",
        f"<|python_tag|>{call}",
        f"<|python_tag|>{call}<|eom_id|>",
        f"<function=give_answer>{text}</function>",
        f"<function=give_answer>{text}",
        f"<tool_call>\n{call}\n</tool_call>",
        f"```json\n{call}\n```",
    ]
