"""How fast a batch may go: how many calls at once, and when the next one may start. It keeps no time of its own."""

import math

from llamacli.http.retry import backoff


class Limiter:
    """The limits of a batch, and what its server has taught of its own.

    All times are seconds by one clock, which the caller reads. A refusal (429, 503)
    halves the calls in flight, as TCP does; successes let them grow again, one each up
    to what the server is known to serve at once, and beyond that one in many: each
    step that was refused doubles the wait for the next one.
    """

    def __init__(
        self, jobs: int, rpm: float | None = None, give_up_after: float = 120, first_alone: bool = False
    ) -> None:
        self.jobs = jobs
        #: Calls in flight at most, now.
        self.limit = 1.0 if first_alone else float(jobs)
        #: Calls that the server has been seen to serve at once.
        self._capacity = float(jobs)
        #: Rounds of success that it takes to try one more than that.
        self._probe_interval = 4.0
        self._gap = 60 / rpm if rpm else 0.0
        self._next_start = self._paused_until = self._slowed_at = -math.inf
        #: Refusals without a success between them.
        self._rejections = 0
        #: How long, in seconds, nothing may succeed.
        self._give_up_after = give_up_after
        self._in_trouble_since: float | None = None

    def ready_at(self, in_flight: int, now: float) -> float:
        """Returns when the next call may start: `now` or later, infinity where first another one must end."""
        if in_flight >= int(self.limit):
            return math.inf
        return max(now, self._next_start, self._paused_until)

    def started(self, now: float) -> None:
        self._next_start = max(now, self._next_start) + self._gap

    def succeeded(self) -> None:
        self._rejections, self._in_trouble_since = 0, None
        if self.limit < self._capacity:
            self.limit = min(self.limit + 1, self._capacity)
        elif self.limit < self.jobs:
            before = int(self.limit)
            self.limit = min(self.limit + 1 / (self.limit * self._probe_interval), self.jobs)
            if int(self.limit) > before:
                self._capacity = float(int(self.limit))
                self._probe_interval = max(self._probe_interval / 2, 1)

    def throttled(self, in_flight: int, started: float, now: float, after: float | None) -> bool:
        """Slows down for a 429 or 503 to a call that was begun at `started`; `in_flight` others are still out.

        `after` is what Retry-After asks for. Returns False where the batch had better
        stop: nothing has succeeded for too long, or would until then.
        """
        # Of many calls that were out together, those that are not refused are what the server serves.
        self._capacity = min(self._capacity, max(1.0, in_flight))
        # One refusal of a wave is enough to halve.
        if started >= self._slowed_at:
            self._slowed_at = now
            self._rejections += 1
            self._probe_interval = min(self._probe_interval * 4 if self._rejections == 1 else self._probe_interval, 64)
            self.limit = max(1.0, self.limit // 2)
        self.limit = min(self.limit, self._capacity)
        # Calls that are being served set the pace by coming back; where there are none, time must.
        pause = after if after is not None else 0.0 if in_flight else backoff(self._rejections - 1)
        self._paused_until = max(self._paused_until, now + pause)
        return self.should_continue(now + pause, now)

    def should_continue(self, then: float, now: float) -> bool:
        """Takes note of a failure, and tells whether it is worth going on until `then`."""
        if self._in_trouble_since is None:
            self._in_trouble_since = now
        return then - self._in_trouble_since <= self._give_up_after
