"""Stored answers: --cache returns the answer to the same request."""

import json
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, cast

from llamacli.api.json import JsonObject
from llamacli.api.messages import Completion
from llamacli.ask.options import CacheOptions
from llamacli.config import ANSWERS
from llamacli.errors import ExitStatus, LlamaError, UsageError
from llamacli.http.request import STREAM_KEYS, ChatRequest

if TYPE_CHECKING:
    from llamacli.api.accumulator import Increment

DEFAULT_KEEP_SECONDS = 90 * 86400.0
MAX_ANSWER_BYTES = 64 << 20
#: Entries to check for their age when an answer is stored. A large cache must not slow down a call.
MAX_PRUNED_ENTRIES = 1000


class CachedReply:
    """A stored completion as a reply. ValueError if it has another shape."""

    headers: Mapping[str, str] = {}
    time_left = float("inf")

    def __init__(self, completion: Completion, choices: int) -> None:
        from llamacli.api.accumulator import Accumulator

        self.accumulator = Accumulator(choices)
        self.accumulator.add(cast("JsonObject", completion))
        self._completion = completion
        self.started = self.first_text = self.last_text = self.last_chunk = time.monotonic()

    def with_request_id(self, error: LlamaError) -> LlamaError:
        """Returns the error unchanged: there was no request."""
        return error

    def __iter__(self) -> Iterator["Increment"]:
        yield self.accumulator.increment([_as_chunk(self._completion)])


class AnswerCache:
    """The answers of one server, for any number of threads and processes."""

    def __init__(self, options: CacheOptions, base_url: str) -> None:
        """Raises UsageError if the options contradict each other."""
        if options.refresh and options.offline:
            raise UsageError("--refresh and --offline cannot be combined", "choose one")
        self._max_age = float("inf") if options.cache is None else options.cache
        self._keep_seconds = DEFAULT_KEEP_SECONDS if options.cache_keep is None else options.cache_keep
        self._refresh, self._offline, self._base_url = options.refresh, options.offline, base_url
        self._has_stored = False

    def find(self, request: ChatRequest) -> CachedReply | None:
        """Returns the stored answer if it is recent and readable."""
        if self._refresh:
            return None
        from llamacli.stdio.files import open_regular

        with suppress(OSError, ValueError, RecursionError):
            with open(open_regular(self._path(request), os.O_RDONLY), "rb") as file:
                age = time.time() - os.fstat(file.fileno()).st_mtime
                # The clock may have been ahead when the answer was stored.
                data = file.read(MAX_ANSWER_BYTES + 1) if abs(age) <= self._max_age else b""
            completion = json.loads(data)
            if isinstance(completion, dict) and isinstance(completion.get("choices"), list):
                return CachedReply(cast("Completion", completion), request.choices)
        return None

    def require(self) -> None:
        """Raises LlamaError (network) with --offline."""
        if self._offline:
            raise LlamaError(ExitStatus.NETWORK, "no stored answer to this request", "ask without --offline")

    def store(self, request: ChatRequest, completion: Completion) -> None:
        """Stores a complete answer. Raises OSError."""
        from llamacli.stdio.files import write_atomically
        from llamacli.stdio.output import dump

        path = self._path(request)
        os.makedirs(path.parent, mode=0o700, exist_ok=True)
        write_atomically(path, (dump(completion) + "\n").encode(), 0o600, follow=False)
        self._has_stored = True

    def prune(self) -> None:
        """Removes old answers if this process has stored one.

        Checks a limited number, chosen at random in a large
        cache."""
        if not self._has_stored:
            return
        from random import sample

        folder = ANSWERS.path()
        with suppress(OSError):
            names = os.listdir(folder)
            oldest = time.time() - self._keep_seconds
            for name in sample(names, MAX_PRUNED_ENTRIES) if len(names) > MAX_PRUNED_ENTRIES else names:
                with suppress(OSError):
                    if os.stat(folder / name).st_mtime < oldest:
                        os.unlink(folder / name)

    def _path(self, request: ChatRequest) -> Path:
        import hashlib

        body = {key: value for key, value in request.parameters.items() if key not in STREAM_KEYS}
        text = json.dumps([self._base_url, request.method, body], sort_keys=True)
        return ANSWERS.path(hashlib.sha256(text.encode()).hexdigest())


def _as_chunk(completion: Completion) -> JsonObject:
    """Returns a completion as the only chunk of a stream."""
    choices = [
        {("delta" if key == "message" else key): value for key, value in choice.items()}
        for choice in completion["choices"]
    ]
    return {**completion, "object": "chat.completion.chunk", "choices": choices}
