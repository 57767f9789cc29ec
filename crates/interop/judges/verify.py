"""Judges a chain by the `cryptography` package: verify.py ROOT CHAIN HOST USAGE, USAGE being server or client."""

import ipaddress
import sys

from cryptography import x509
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError

root, chain, host, usage = sys.argv[1:5]
roots = x509.load_pem_x509_certificates(open(root, "rb").read())
leaf, *intermediates = x509.load_pem_x509_certificates(open(chain, "rb").read())
builder = PolicyBuilder().store(Store(roots))
try:
    if usage == "client":
        builder.build_client_verifier().verify(leaf, intermediates)
    else:
        try:
            subject = x509.IPAddress(ipaddress.ip_address(host))
        except ValueError:
            subject = x509.DNSName(host)
        builder.build_server_verifier(subject).verify(leaf, intermediates)
except VerificationError as refused:
    print("REFUSED:", refused)
    sys.exit(1)
print("OK")
