"""One connection: TCP, TLS, deadlines, HTTP/1.1.

The only package that relies on private parts of its dependencies. Each is listed here
with the reason. All exist in Python 3.10 to 3.13 and in urllib3 2.2.3 to 2.8.0.
tests/http/test_private_names.py names those that a newer release lacks, and shows that
a call works without each of them.

http.client.HTTPConnection.response_class: to read responses with StrictResponse.
urllib3.connection.HTTPConnection._new_conn: to limit the look-up and all addresses
    together, and to use a connection that was opened early.
urllib3.connection.HTTPConnection._dns_host: the host with its final dot.
urllib3.poolmanager.PoolManager.pool_classes_by_scheme,
urllib3.connectionpool.HTTPConnectionPool.ConnectionCls: to use these connections.
urllib3.connectionpool.HTTPConnectionPool._put_conn: to give them back to their pool.
urllib3.util.ssl_.ALPN_PROTOCOLS: to configure a shared context as urllib3 does its own.
urllib3.connection.HTTPSConnection.assert_fingerprint, and the others of
    tls.OTHER_TRUST_SETTINGS: to share a context only between equal connections.
"""
