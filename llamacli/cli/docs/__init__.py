"""Help, man page and completions, generated from the tables of flags."""
