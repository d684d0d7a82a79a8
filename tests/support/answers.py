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


def written_calls(arguments: dict[str, object]) -> list[str]:
    """Returns the texts as which models write a call."""
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
        f"[TOOL_CALLS][{call}]",
        f"[TOOL_CALLS]give_answer[CALL_ID]abc123def[ARGS]{text}",
        f"functools[{call}]",
        f"<|tool_call|>[{call}]<|/tool_call|>",
        f"<function_call> {call}",
        f"<function=give_answer{text}</function>",
        f"<function(give_answer)>{text}</function>",
        f"<｜tool▁calls▁begin｜>function<｜tool▁sep｜>give_answer\n```json\n{text}\n```<｜tool▁calls▁end｜>",
        f"<|tool_call_begin|>functions.give_answer:0<|tool_call_argument_begin|>{text}<|tool_call_end|>",
        f"<|channel|>commentary to=functions.give_answer <|constrain|>json<|message|>{text}<|call|>",
        f'Action: ```json\n[{{"tool_name": "give_answer", "parameters": {text}}}]\n```',
        f'{{"tool_calls": [{{"function": {call}}}]}}',
        f'{{"give_answer": {text}}}',
        f"{call}; {call}",
        f"<tool_call>{call}</tool_call><tool_call>{call}</tool_call>",
        call + "}",
        f'{{"function": "give_answer", "arguments": {text}}}',
        f'{{"name": "functions.give_answer", "arguments": {text}}}',
        f'{{"tool_uses": [{{"recipient_name": "functions.give_answer", "parameters": {text}}}]}}',
        f'{{"type": "tool_use", "name": "give_answer", "input": {text}}}',
        f"Action: give_answer\nAction Input: {text}",
        f"✿FUNCTION✿: give_answer\n✿ARGS✿: {text}",
        f"<|start|>assistant<|channel|>commentary to=functions.give_answer <|message|>{text}<|call|>",
        '<｜DSML｜function_calls>\n<｜DSML｜invoke name="give_answer">\n'
        + "".join(
            f'<｜DSML｜parameter name="{name}" string="true">{value}</｜DSML｜parameter>'
            for name, value in arguments.items()
        )
        + "</｜DSML｜invoke>\n</｜DSML｜function_calls>",
        "<tool_call>\n<function=give_answer>\n"
        + "".join(f"<parameter={name}>\n{value}\n</parameter>\n" for name, value in arguments.items())
        + "</function>\n</tool_call>",
        "<tool_call>give_answer\n"
        + "".join(f"<arg_key>{name}</arg_key>\n<arg_value>{value}</arg_value>\n" for name, value in arguments.items())
        + "</tool_call>",
    ]
