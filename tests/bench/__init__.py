"""`make bench`: how fast the program is here and now, compared with what a user would run in its place."""
