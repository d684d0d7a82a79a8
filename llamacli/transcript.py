"""A conversation as a person reads it."""

from llamacli.output import Output
from llamacli.session import Entry, text


def transcript(entries: list[Entry], out: Output) -> None:
    """Prints each message under its role, with an empty line between two."""
    for number, entry in enumerate(entries):
        out.write("\n" if number else "")
        out.write(f"{entry['role']}:\n{text(entry)}")
        out.end()
