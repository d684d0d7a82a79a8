"""Separates the reasoning in the content of an answer from the answer."""

import re

from llamacli.api.json import Json
from llamacli.api.messages import Choice, Completion, joined_text

START_TAGS = ("<think>", "<thinking>")
END_TAG = "</(think|thinking)>"


class ThinkingSplitter:
    """Splits a text that arrives in pieces into reasoning and answer.

    A text that begins, after white space, with <think> or <thinking> is reasoning up
    to the matching end tag. Tags anywhere else are part of the answer. Holds back only
    what may still turn out to be a tag.
    """

    def __init__(self, keeps_reasoning: bool = False) -> None:
        """With `keeps_reasoning` all of the text is the answer."""
        self._pending = ""
        #: The tag that ends the reasoning, "" unless the text began with a start tag.
        self._end_tag = ""
        self._is_reasoning = False
        self._is_decided = keeps_reasoning
        #: White space between the reasoning and the answer is dropped.
        self._skips_space = False
        self.has_answer = False

    @property
    def has_reasoning(self) -> bool:
        """True if the text began with a start tag."""
        return bool(self._end_tag)

    def feed(self, text: str) -> tuple[str, str]:
        """Returns what a piece adds to the reasoning and the answer."""
        reasoning, answer = self._feed(text)
        self.has_answer = self.has_answer or bool(answer)
        return reasoning, answer

    def finish(self, text: str = "") -> tuple[str, str]:
        """Returns what the last piece adds, and what was held back."""
        reasoning, answer = self.feed(text)
        rest, self._pending = self._pending, ""
        if self._is_reasoning:
            return reasoning + rest, answer
        self.has_answer = self.has_answer or bool(rest)
        return reasoning, answer + rest

    def _feed(self, text: str) -> tuple[str, str]:
        if self._is_decided and not self._is_reasoning:
            return "", self._answer(text)
        text, self._pending = self._pending + text, ""
        if not self._is_decided:
            start = text.lstrip()
            tag = next((tag for tag in START_TAGS if start.startswith(tag)), None)
            if tag:
                self._end_tag = "</" + tag[1:]
                self._is_decided = self._is_reasoning = True
                text = start[len(tag) :]
            elif any(tag.startswith(start) for tag in START_TAGS):
                self._pending = text
                return "", ""
            else:
                self._is_decided = True
                return "", text
        reasoning, end, answer = text.partition(self._end_tag)
        if end:
            self._is_reasoning, self._skips_space = False, True
            return reasoning, self._answer(answer)
        size = _overlap(text, self._end_tag)
        self._pending = text[len(text) - size :]
        return text[: len(text) - size], ""

    def _answer(self, text: str) -> str:
        if self._skips_space:
            text = text.lstrip()
            self._skips_space = not text
        return text


def split_thinking(text: str, is_whole: bool) -> tuple[str, str]:
    """Returns the reasoning and the answer in a text.

    `is_whole`: nothing of the text has been printed yet, so an end tag without a start
    tag also ends reasoning. Chat templates often supply the start tag themselves.
    """
    splitter = ThinkingSplitter()
    reasoning, answer = splitter.finish(text)
    if is_whole and not splitter.has_reasoning and (end := re.search(END_TAG, answer)):
        before = answer[: end.start()]
        if f"<{end[1]}>" not in before:
            return before, answer[end.end() :].lstrip()
    return reasoning, answer


def without_thinking(completion: Completion, is_whole: bool) -> tuple[Completion, str]:
    """Returns a completion without reasoning, and that reasoning.

    Each message has its own reasoning in `reasoning_content` instead.
    """
    thoughts: list[str] = []
    choices: list[Choice] = []
    for choice in completion.get("choices") or []:
        message: Json = choice.get("message") or {}
        content = message.get("content")
        text = joined_text(content) if isinstance(content, list) else content
        if isinstance(text, str) and "think" in text:
            reasoning, answer = split_thinking(text, is_whole)
            if answer != text:
                thoughts.append(reasoning)
                whole = (message.get("reasoning_content") or "") + reasoning
                message = {**message, "content": answer, "reasoning_content": whole}
                choice = {**choice, "message": message}
        choices.append(choice)
    return ({**completion, "choices": choices}, "".join(thoughts)) if thoughts else (completion, "")


def _overlap(text: str, tag: str) -> int:
    """Returns how many characters at the end of a text may begin a tag."""
    return next((size for size in range(len(tag) - 1, 0, -1) if text.endswith(tag[:size])), 0)
