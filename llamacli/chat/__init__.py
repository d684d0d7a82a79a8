"""Conversations: on disk, and at the terminal."""
