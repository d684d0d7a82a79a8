"""Finds fenced code blocks (CommonMark 0.31, section 4.5), wherever CommonMark lets them stand."""

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
    """Returns what stands inside of the first fenced code block, None where there is none.

    A block that is still open where the text ends counts only where the text is
    complete, and not if it is empty; none counts if what seems to open it may be the
    end of another one. Raw HTML counts as text, so that a block inside of it is found.
    """
    text = text.removeprefix("\ufeff")
    # Not before there is an answer, since it takes as long to import as to ask.
    from markdown_it import MarkdownIt

    parser = MarkdownIt("commonmark", {"html": False})
    parser.core.ruler.disable("inline")
    for token in parser.parse(text):
        if token.type != "fence" or token.map is None:
            continue
        start, end = token.map
        # The last line lacks its newline where the text ends without one.
        inside = token.content.removesuffix("\n").split("\n") if token.content else []
        is_open = end - start < len(inside) + 2 and end >= len(LINE_END.split(text.rstrip()))
        if _is_ending(token, text, is_open) or (is_open and (not is_complete or not token.content.strip())):
            return None
        # The parser makes every line end a newline.
        ends = LINE_END.findall(text)[start + 1 : start + 1 + len(inside)]
        return "".join(line + end for line, end in zip_longest(inside, ends, fillvalue=""))
    return None


def _is_ending(block: "Token", text: str, is_open: bool) -> bool:
    """Tells whether a block's fence, bare as the one at an end, follows one that a line's own text stands before.

    CommonMark knows no block that is opened like that: `Sure: ```python`. One that is
    closed is doubted only where such a line looks just so.
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
    """Returns the inside of the first block of each text, of which the last may be cut where they are not complete.

    Raises LlamaError (misfit) where one has none.
    """
    blocks = [first_block(text, is_complete) for text in texts]
    found = [block for block in blocks if block is not None]
    if len(found) < len(blocks):
        what = "the answer holds no fenced code block" + ("" if is_complete else " that is whole, and it was cut")
        todo = "ask for one, or leave --extract out" if is_complete else "raise --max-tokens"
        raise LlamaError(ExitStatus.MISMATCH, what, todo)
    return found


def unfenced(text: str) -> str | None:
    """Returns the inside of a text that is one fenced code block from its first line to its last, else None."""
    first, *inside = text.split("\n")
    opening = FENCE.fullmatch(first.strip())
    if not opening or not inside or (opening[1][0] == "`" and "`" in opening[2]):
        return None
    closing = FENCE.fullmatch(inside.pop().strip())
    is_closed = closing and not closing[2] and closing[1].startswith(opening[1])
    return "\n".join(inside) if is_closed else None
