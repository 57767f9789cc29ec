"""An API in Flask that Authlib protects: it takes our JWT access tokens (RFC 9068), and not another API's, a forged one, or an ID token."""

import requests
from authlib.integrations.flask_oauth2 import ResourceProtector, current_token
from authlib.integrations.requests_client import OAuth2Session
from authlib.oauth2.rfc9068 import JWTBearerTokenValidator
from flask import Flask, jsonify
from joserfc.jwk import KeySet

from case import CA, CONTEXT, ISSUER, METADATA, flip_signature, serve, walk


class Validator(JWTBearerTokenValidator):
    def get_jwks(self):
        return KeySet.import_key_set(requests.get(METADATA["jwks_uri"], verify=CA).json())


def api(audience):
    app, protector = Flask(audience), ResourceProtector()
    protector.register_token_validator(Validator(ISSUER, audience))

    @app.get("/")
    @protector("profile")
    def who():
        return jsonify(dict(current_token))

    return serve(app)


client = OAuth2Session(
    CONTEXT["client_id"],
    CONTEXT["client_secret"],
    scope="openid profile",
    redirect_uri=CONTEXT["redirect_uri"],
    code_challenge_method="S256",
)
client.verify = CA
verifier = "v" * 43
url, state = client.create_authorization_url(METADATA["authorization_endpoint"], code_verifier=verifier, nonce="n")
[back] = walk(url, until=CONTEXT["redirect_uri"])
tokens = client.fetch_token(METADATA["token_endpoint"], authorization_response=back, state=state, code_verifier=verifier)
token = tokens["access_token"]
audience = requests.post(
    METADATA["introspection_endpoint"], {"token": token}, auth=(CONTEXT["client_id"], CONTEXT["client_secret"]), verify=CA
).json()["aud"]


def call(address, token):
    return requests.get(address, headers={"authorization": f"Bearer {token}"})


own = api(audience if isinstance(audience, str) else audience[0])
taken = call(own, token)
assert taken.status_code == 200, taken.text
assert taken.json()["client_id"] == CONTEXT["client_id"]
for wrong in [flip_signature(token), tokens["id_token"]]:
    assert call(own, wrong).status_code == 401
assert call(api("https://other.example"), token).status_code == 401
