"""Lines, records and files become request bodies."""
