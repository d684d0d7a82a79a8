"""`make bench`: speed on this machine, compared with what a user would run instead."""
