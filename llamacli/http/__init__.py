"""Sends a request and reads the response."""
