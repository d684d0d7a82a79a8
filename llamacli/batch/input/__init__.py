"""Turns lines, records and files into request bodies."""
