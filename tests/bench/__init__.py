"""`make bench`: how fast the program is here and now, beside what a user would run in its place."""
