"""Authlib's OAuth2Session: code + PKCE, refresh with rotation, introspection, revocation; the device grant and client credentials."""

import time

import requests
from authlib.common.errors import AuthlibBaseError
from authlib.common.security import generate_token
from authlib.integrations.requests_client import OAuth2Session

from case import CA, CONTEXT, METADATA, refused, walk

DEVICE = "urn:ietf:params:oauth:grant-type:device_code"
TOKEN = METADATA["token_endpoint"]


def session(**more):
    made = OAuth2Session(CONTEXT["client_id"], CONTEXT["client_secret"], **more)
    made.verify = CA
    return made


def introspect(client, token):
    return client.introspect_token(METADATA["introspection_endpoint"], token=token).json()


client = session(scope="openid profile offline_access", redirect_uri=CONTEXT["redirect_uri"], code_challenge_method="S256")
verifier = generate_token(48)
endpoint = METADATA["authorization_endpoint"]
url, state = client.create_authorization_url(endpoint, code_verifier=verifier, prompt="consent", nonce="n")
[back] = walk(url, until=CONTEXT["redirect_uri"])
first = client.fetch_token(TOKEN, authorization_response=back, state=state, code_verifier=verifier)
assert introspect(client, first["access_token"])["active"]
second = client.refresh_token(TOKEN)
assert second["refresh_token"] != first["refresh_token"]
assert client.revoke_token(METADATA["revocation_endpoint"], token=second["refresh_token"]).status_code == 200
assert introspect(client, second["access_token"]) == {"active": False}
refused(lambda: client.refresh_token(TOKEN, refresh_token=second["refresh_token"]), AuthlibBaseError, "invalid_grant")

url, state = client.create_authorization_url(endpoint, code_verifier=verifier, nonce="n")
[back] = walk(url, until=CONTEXT["redirect_uri"])
attempt = lambda: client.fetch_token(TOKEN, authorization_response=back, state="another", code_verifier=verifier)
refused(attempt, AuthlibBaseError, "mismatching_state")
attempt = lambda: client.fetch_token(TOKEN, authorization_response=back, state=state, code_verifier=generate_token(48))
refused(attempt, AuthlibBaseError, "invalid_grant")

machine = session().fetch_token(TOKEN, grant_type="client_credentials")
assert introspect(client, machine["access_token"])["sub"] == CONTEXT["client_id"]

# Authlib has no request of its own for the first step of RFC 8628; the second is its token request.
device = session(scope="openid profile")
basic = (CONTEXT["client_id"], CONTEXT["client_secret"])
codes = requests.post(METADATA["device_authorization_endpoint"], {"scope": "openid"}, auth=basic, verify=CA).json()
poll = lambda: device.fetch_token(TOKEN, grant_type=DEVICE, device_code=codes["device_code"])
refused(poll, AuthlibBaseError, "authorization_pending")
[page] = walk(codes["verification_uri_complete"])
assert "Device connected" in page, page
time.sleep(codes["interval"] + 0.2)
assert "id_token" in poll()
