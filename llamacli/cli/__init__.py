"""The command line: tables of flags, and all that is made from them."""
