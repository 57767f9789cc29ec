"""A TLS client with Python's own ssl module, as strict as 3.13 is by default: tls.py ROOT HOST PORT [CLIENT-CHAIN CLIENT-KEY]."""

import socket
import ssl
import sys

root, host, port = sys.argv[1:4]
context = ssl.create_default_context(cafile=root)
context.verify_flags |= ssl.VERIFY_X509_STRICT
if len(sys.argv) > 4:
    context.load_cert_chain(sys.argv[4], sys.argv[5])
try:
    with socket.create_connection(("127.0.0.1", int(port)), timeout=10) as plain:
        with context.wrap_socket(plain, server_hostname=host) as stream:
            print("OK", stream.version())
except ssl.SSLError as refused:
    print("REFUSED:", refused)
    sys.exit(1)
