"""Calls in parallel: workers, pace, retries."""
