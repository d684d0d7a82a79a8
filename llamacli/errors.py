"""The exit statuses, and the exception for expected failures."""

import enum


class ExitStatus(enum.IntEnum):
    """How a call ended, as the shell sees it.

    The meanings are part of the interface: scripts branch on them. If several apply,
    WITHHELD takes precedence over MISMATCH, and MISMATCH over CUT.
    """

    meaning: str

    def __new__(cls, value: int, meaning: str) -> "ExitStatus":
        member = int.__new__(cls, value)
        member._value_ = value
        member.meaning = meaning
        return member

    OK = 0, "a complete answer was printed (--yes-no: yes)"
    NO = 1, "--yes-no: the answer is no (nothing else exits with 1)"
    USAGE = 2, "usage: a bad flag or value, nothing to ask, input that is unreadable or not UTF-8"
    KEY = 3, "no key, the key file or key command failed, or the key was refused (401)"
    REFUSED = 4, "the request was refused (400, 404, 413, 422 and other 4xx; a redirect)"
    CREDITS = 5, "out of credits or forbidden (402, 403)"
    RATE = 6, "rate limited (429), after retries"
    SERVER = 7, "server error (5xx, 408, 425, or an error in a stream), after retries"
    NETWORK = 8, "network error: DNS, connection, TLS, proxy, or timeout before any response"
    BROKEN = 9, "broken answer: the response began but is incomplete, invalid or empty"
    CUT = 10, "the answer was cut at the token limit (--allow-truncated makes it 0)"
    WITHHELD = 11, "the answer was withheld by a content filter or a refusal"
    MISMATCH = 12, "the answer does not match --choice, --yes-no, --schema or --extract"
    FAILED = 13, "batch: some items failed, or a cap stopped it"
    INTERNAL = 70, "an internal error of llamacli"
    OUTPUT = 74, "the output could not be written (disk full, descriptor closed)"
    HANGUP = 129, "stopped by SIGHUP"
    INTERRUPTED = 130, "stopped by Ctrl-C (SIGINT)"
    PIPE = 141, "the reader of stdout is gone (`| head -1`)"
    TERMINATED = 143, "stopped by SIGTERM"


class Stopped(BaseException):
    """A signal came. Handlers of ordinary errors don't catch it."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


class LlamaError(Exception):
    """An expected failure: what happened, and what to do about it.

    `status` is the exit status of the program. Message and hint are shown to the user as one line:
    `llamacli: what happened; what to do [request id]`. An error never changes after it is created.
    """

    def __init__(
        self, status: ExitStatus, message: str, hint: str = "", *, request_id: str = "", http_status: int | None = None
    ) -> None:
        super().__init__(message)
        self.status, self.message, self.hint = status, message, hint
        #: The ids of the request, "" if no request reached a server.
        self.request_id = request_id
        #: The status of the HTTP response that caused the error, if there was one.
        self.http_status = http_status

    def add_hint(self, hint: str) -> "LlamaError":
        """Returns the error with one more hint after its own."""
        hints = "; ".join(filter(None, (self.hint, hint)))
        return LlamaError(self.status, self.message, hints, request_id=self.request_id, http_status=self.http_status)

    @property
    def text(self) -> str:
        """What happened and what to do, without the request id."""
        return "; ".join(filter(None, (self.message, self.hint)))

    def __str__(self) -> str:
        return f"{self.text} [{self.request_id}]" if self.request_id else self.text


class UsageError(LlamaError):
    """A mistake in the command line, the settings or the input: exit status 2."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(ExitStatus.USAGE, message, hint)
