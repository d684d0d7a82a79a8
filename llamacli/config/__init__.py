"""Where settings come from, and where files are kept."""
