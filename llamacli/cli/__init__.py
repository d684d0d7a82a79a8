"""The command line: tables of flags, and everything generated from them."""
