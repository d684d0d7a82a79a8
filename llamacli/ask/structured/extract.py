"""Finds fenced code blocks (CommonMark 0.31, section 4.5)."""

import re
from collections.abc import Iterable
from itertools import zip_longest
from typing import TYPE_CHECKING

from llamacli.errors import ExitStatus, LlamaError

if TYPE_CHECKING:
    from markdown_it.token import Token


LINE_END = re.compile(r"\r\n|\n|\r")
FENCE = re.compile(r"(`{3,}|~{3,})([^\n]*)")


def first_block(text: str, is_complete: bool = True) -> str | None:
    """Returns the content of the first fenced code block, None without one.

    A block that is still open at the end of the text counts only if the text is
    complete and the block is not empty. A block does not count if its opening fence may
    be the end of another one. Raw HTML is text, so a block inside of it counts.
    """
    text = text.removeprefix("\ufeff")
    # Imported only once there is an answer: it takes as long as sending the request.
    from markdown_it import MarkdownIt

    parser = MarkdownIt("commonmark", {"html": False})
    parser.core.ruler.disable("inline")
    for token in parser.parse(text):
        if token.type != "fence" or token.map is None:
            continue
        start, end = token.map
        # The last line has no newline if the text ends without one.
        inside = token.content.removesuffix("\n").split("\n") if token.content else []
        is_open = end - start < len(inside) + 2 and end >= len(LINE_END.split(text.rstrip()))
        if _is_ending(token, text, is_open) or (is_open and (not is_complete or not token.content.strip())):
            return None
        # The parser turns every line end into a newline.
        ends = LINE_END.findall(text)[start + 1 : start + 1 + len(inside)]
        return "".join(line + end for line, end in zip_longest(inside, ends, fillvalue=""))
    return None


def _is_ending(block: "Token", text: str, is_open: bool) -> bool:
    """True if a fence without an info string may end a block.

    The block was opened after text on its line. CommonMark has no block that is opened
    like `Sure: ```python`, but models write it. A closed block is doubted only if an
    earlier line looks exactly like that.
    """
    assert block.map
    mark = block.markup[0]
    run = f"{mark}{{3,}}" if is_open else rf"(?<![\\{mark}]){mark}{{3,}}"
    opening = run if is_open else rf"{run}[\w+#.-]*\s*$"
    before = LINE_END.split(text)[: block.map[0]]
    return not block.info.strip() and any(
        re.search(opening, line) and len(re.findall(run, line)) % 2 for line in before
    )


def first_blocks(texts: Iterable[str], is_complete: bool) -> list[str]:
    """Returns each text's first block. Raises LlamaError (mismatch)."""
    results = [first_block(text, is_complete) for text in texts]
    blocks = [block for block in results if block is not None]
    if len(blocks) < len(results):
        message = "the answer contains no " + ("code block" if is_complete else "complete code block: it was cut")
        hint = "ask for one, or drop --extract" if is_complete else "raise --max-tokens"
        raise LlamaError(ExitStatus.MISMATCH, message, hint)
    return blocks


def unfenced(text: str) -> str | None:
    """Returns the content of a text that is one code block, else None."""
    first, *inside = text.split("\n")
    opening = FENCE.fullmatch(first.strip())
    if not opening or not inside or (opening[1][0] == "`" and "`" in opening[2]):
        return None
    closing = FENCE.fullmatch(inside.pop().strip())
    is_closed = closing and not closing[2] and closing[1].startswith(opening[1])
    return "\n".join(inside) if is_closed else None
