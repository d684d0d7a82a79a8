"""Rows: in order, in a file, in numbers."""
