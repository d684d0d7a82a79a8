"""llamacli: a Unix-style command-line client for chat models behind an OpenAI-compatible API."""

PROGRAM = "llamacli"
__version__ = "0.1.0"
