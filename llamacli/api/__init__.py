"""The API's JSON, in the API's own terms. Knows nothing about flags, files or sockets."""
