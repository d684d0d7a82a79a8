"""The API's JSON, in the API's own words. Knows nothing of flags, files or sockets."""
