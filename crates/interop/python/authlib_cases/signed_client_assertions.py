"""RFC 7523 as Authlib signs it: private_key_jwt and client_secret_jwt; an assertion for somebody else's endpoint is refused."""

from authlib.integrations.base_client.errors import OAuthError
from authlib.integrations.requests_client import OAuth2Session
from authlib.oauth2.rfc7523 import ClientSecretJWT, PrivateKeyJWT
from joserfc.jwk import ECKey, RSAKey

from case import CA, METADATA, refused, register

TOKEN = METADATA["token_endpoint"]
MACHINE = {"grant_types": ["client_credentials"], "response_types": []}


def try_it(method, secret, registered, alg):
    def ask(audience):
        session = OAuth2Session(registered["client_id"], secret, token_endpoint_auth_method=method.name)
        session.verify = CA
        session.register_client_auth_method(method(audience, alg=alg))
        return session.fetch_token(TOKEN, grant_type="client_credentials")

    assert ask(None)["token_type"] == "Bearer"
    refused(lambda: ask("https://other.example/token"), OAuthError, "invalid_client")


for key, alg in [(RSAKey.generate_key(2048), "RS256"), (ECKey.generate_key("P-256"), "ES256")]:
    keys = {"keys": [{**key.as_dict(private=False), "kid": "one", "use": "sig", "alg": alg}]}
    registered = register(token_endpoint_auth_method="private_key_jwt", jwks=keys, **MACHINE)
    try_it(PrivateKeyJWT, key, registered, alg)
registered = register(token_endpoint_auth_method="client_secret_jwt", **MACHINE)
try_it(ClientSecretJWT, registered["client_secret"], registered, "HS256")
