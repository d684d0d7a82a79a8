"""A conversation as a person reads it."""

from llamacli.entries import Entry, text
from llamacli.output import Output


def transcript(entries: list[Entry], out: Output) -> None:
    """Prints each message under its role, with an empty line between two."""
    for number, entry in enumerate(entries):
        out.write("\n" if number else "")
        out.write(f"{entry['role']}:\n{text(entry)}")
        out.end()
