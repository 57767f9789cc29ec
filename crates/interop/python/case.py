"""What the cases share: their context, a browser's way through the service's pages, the planted refusals."""

import json
import subprocess
import sys
import threading
from pathlib import Path

import requests
from werkzeug.serving import make_server

CONTEXT = json.load(sys.stdin)
CA = CONTEXT["ca"]
ISSUER = CONTEXT["issuer"]
METADATA = requests.get(f"{ISSUER}/.well-known/openid-configuration", verify=CA).json()


def walk(*urls, until=None):
    """Goes to each address in turn with one browser; gives where each way ended: an address that begins with `until`, or a page."""
    node = ["node", "walk.mjs"]
    folder = Path(__file__).parent.parent / "node"
    given = json.dumps({**CONTEXT, "urls": urls, "until": until})
    walked = subprocess.run(node, cwd=folder, input=given, capture_output=True, text=True)
    assert walked.returncode == 0, walked.stderr
    return json.loads(walked.stdout)


def serve(app):
    """Runs a WSGI application on a free port; gives its address."""
    server = make_server("127.0.0.1", 0, app, threaded=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.port}"


def register(**metadata):
    """Dynamic registration (RFC 7591)."""
    answer = requests.post(METADATA["registration_endpoint"], json=metadata, verify=CA)
    assert answer.status_code == 201, answer.text
    return answer.json()


def refused(attempt, kind, reason=""):
    """`attempt` raises an error of this kind with this in its text, and no other."""
    try:
        attempt()
    except kind as error:
        assert reason in str(error), f"refused for another reason than the one planted: {error!r}"
    else:
        raise AssertionError("accepted what must be refused")


def flip_signature(jws):
    """A compact JWS with another signature."""
    signed, signature = jws.rsplit(".", 1)
    middle = len(signature) // 2
    other = "A" if signature[middle] != "A" else "B"
    return f"{signed}.{signature[:middle]}{other}{signature[middle + 1:]}"
