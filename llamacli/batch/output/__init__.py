"""Prints and saves rows, sums them up, and writes answers to files."""
