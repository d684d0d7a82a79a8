"""llamacli: a Unix-style command-line client for chat models."""

PROGRAM = "llamacli"
__version__ = "0.1.0"
#: The day of this version, which the man page shows.
RELEASED = "2026-11-23"
