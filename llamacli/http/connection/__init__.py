"""One connection: TCP, TLS, deadlines, HTTP/1.1."""
