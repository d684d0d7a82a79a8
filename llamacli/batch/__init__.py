"""Many questions in parallel."""
