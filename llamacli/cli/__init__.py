"""The command line: tables of flags, and everything that is generated from them."""
