"""The API's JSON in its own terms. Knows no flags, files or sockets."""
