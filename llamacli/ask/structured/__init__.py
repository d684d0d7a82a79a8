"""Answers of a given form: --choice, --yes-no, --schema, --extract."""
