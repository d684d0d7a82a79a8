"""Parallel calls: workers, rate limits, retries."""
