"""Sends a request and reads what comes back."""
