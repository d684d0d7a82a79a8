"""Lines and records to request bodies."""
