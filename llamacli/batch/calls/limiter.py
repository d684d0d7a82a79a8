"""Limits a batch: how many calls run in parallel, and when the next may start."""

import math

from llamacli.http.retry import backoff

#: Rounds of successes before trying more than the known capacity: the first value, and the largest.
PROBE_ROUNDS, MAX_PROBE_ROUNDS = 4.0, 64.0
#: Waves of rejections after which a server's wish not to be waited for is followed.
UNPAUSED_WAVES = 3


class Limiter:
    """Adapts the number of parallel calls to what the server accepts.

    A rejection (429 or 503) halves the number, as TCP does. Each success adds one, up
    to the capacity that the server is known to have. After several rounds of successes
    the limiter probes: it tries a higher number. If a probe succeeds, the next step is
    twice as large; if it fails, the next probe comes later.

    All times are in seconds. The caller reads the clock.
    """

    def __init__(
        self, jobs: int, rpm: float | None = None, give_up_after: float = 120, first_alone: bool = False
    ) -> None:
        self.jobs = jobs
        #: The current maximum number of parallel calls.
        self.limit = 1.0 if first_alone else float(jobs)
        #: The number of parallel calls that the server has accepted.
        self._capacity = float(jobs)
        self._probe_rounds, self._probe_step, self._probe_successes = PROBE_ROUNDS, 1, 0
        self._gap = 60 / rpm if rpm else 0.0
        self._next_start = self._paused_until = self._slowed_at = -math.inf
        #: Waves of rejections since the last success. A wave is a group of rejections at about the same time.
        self._waves = 0
        #: The successes before the latest wave, and the limit to restore if the wave rejects every call.
        self._wave_successes, self._wave_limit = 0, float(jobs)
        #: Seconds without a success after which the batch gives up.
        self._give_up_after = give_up_after
        self._in_trouble_since: float | None = None
        self.successes = self.rejections = 0

    def ready_at(self, in_flight: int, now: float) -> float:
        """Returns when the next call may start, infinity if none may yet."""
        if in_flight >= int(self.limit):
            return math.inf
        return max(now, self._next_start, self._paused_until)

    def started(self, now: float) -> None:
        """Records the start of a call."""
        self._next_start = max(now, self._next_start) + self._gap

    def succeeded(self) -> None:
        """Records a success, and may raise the limit."""
        self.successes += 1
        self._waves, self._in_trouble_since = 0, None
        if self.limit < self._capacity:
            self.limit = min(self.limit + 1, self._capacity)
        elif self.limit < self.jobs:
            self._probe_successes += 1
            if self._probe_successes >= self.limit * self._probe_rounds:
                self._probe_successes = 0
                self.limit = min(self.limit + self._probe_step, float(self.jobs))
                self._capacity = self.limit
                self._probe_rounds, self._probe_step = max(self._probe_rounds / 2, 1), self._probe_step * 2

    def throttled(self, in_flight: int, started: float, now: float, retry_after: float | None) -> bool:
        """Slows down after a 429 or 503; returns False to stop the batch.

        The rejected call began at `started`, and `in_flight` others are still running.
        `retry_after` is the wait that the server asks for. A batch should stop if
        nothing has succeeded for too long, or if the wait would be too long.
        """
        self.rejections += 1
        # Only the first rejection of a wave halves the limit.
        if started >= self._slowed_at:
            self._slowed_at = now
            self._waves += 1
            if self._waves == 1:
                self._probe_rounds = min(self._probe_rounds * 4, MAX_PROBE_ROUNDS)
            self._probe_step, self._probe_successes = 1, 0
            self.limit = max(1.0, self.limit // 2)
            self._wave_successes, self._wave_limit = self.successes, min(self.limit, self._capacity)
        if in_flight or self.successes > self._wave_successes:
            # The server accepted the calls that are still in flight.
            self._capacity = min(self._capacity, max(1.0, in_flight))
        else:
            # A wave that rejects every call says nothing about the capacity.
            self._capacity, self._probe_rounds = self._wave_limit, PROBE_ROUNDS
            self.limit = self._wave_limit
        self.limit = min(self.limit, self._capacity)
        # With calls in flight, the next one starts when one of them ends. Otherwise a pause is needed, in the end even
        # after `Retry-After: 0`.
        waves = self._waves - (0 if retry_after is None else UNPAUSED_WAVES)
        pause = retry_after or (0.0 if in_flight or waves <= 0 else backoff(waves - 1))
        self._paused_until = max(self._paused_until, now + min(pause, self._give_up_after))
        return self.should_continue(now + pause, now)

    @property
    def has_just_succeeded(self) -> bool:
        """True if nothing has failed since the latest success."""
        return self.successes > 0 and self._in_trouble_since is None

    def should_continue(self, then: float, now: float) -> bool:
        """Records a failure; False if waiting until `then` takes too long."""
        if self._in_trouble_since is None:
            self._in_trouble_since = now
        return then - self._in_trouble_since <= self._give_up_after
