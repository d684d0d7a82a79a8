"""Rows: in order, in a file, as statistics; and answers that edit files."""
