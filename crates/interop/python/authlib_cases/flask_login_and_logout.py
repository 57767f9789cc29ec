"""A Flask application with Authlib's client, as its documentation has it: discovery, code + PKCE, the ID token checked, UserInfo, logout.
Then its checks once more, with a nonce, an issuer and a signature that are wrong."""

from authlib.integrations.flask_client import OAuth
from flask import Flask, jsonify, session, url_for
from joserfc.errors import BadSignatureError, JoseError

from case import CA, CONTEXT, ISSUER, flip_signature, refused, register, serve, walk

app = Flask("application")
app.secret_key = "of this run"
address = serve(app)
registered = register(
    redirect_uris=[f"{address}/callback"],
    post_logout_redirect_uris=[f"{address}/bye"],
    application_type="native",
)
oauth = OAuth(app)
oauth.register(
    "service",
    client_id=registered["client_id"],
    client_secret=registered["client_secret"],
    server_metadata_url=f"{ISSUER}/.well-known/openid-configuration",
    client_kwargs={"scope": "openid profile", "code_challenge_method": "S256", "verify": CA},
)
seen = {}


@app.get("/login")
def login():
    return oauth.service.authorize_redirect(url_for("callback", _external=True))


@app.get("/callback")
def callback():
    token = oauth.service.authorize_access_token()
    seen.update(token)
    session["id_token"] = token["id_token"]
    return jsonify(claims=token["userinfo"], user=oauth.service.userinfo(token=token))


@app.get("/logout")
def logout():
    return oauth.service.logout_redirect(f"{address}/bye", id_token_hint=session.pop("id_token"))


@app.get("/bye")
def bye():
    oauth.service.validate_logout_response()
    return "goodbye"


logged_in, goodbye = walk(f"{address}/login", f"{address}/logout")
assert goodbye == "goodbye", goodbye
answer = app.json.loads(logged_in)
assert answer["claims"]["iss"] == ISSUER
assert answer["user"]["sub"] == answer["claims"]["sub"]
assert answer["user"]["preferred_username"] == CONTEXT["username"]

nonce = answer["claims"]["nonce"]
with app.app_context():
    parse = oauth.service.parse_id_token
    assert parse(seen, nonce)["sub"] == answer["user"]["sub"]
    refused(lambda: parse(seen, "another"), JoseError, "nonce")
    other = {"iss": {"values": ["https://other.example"]}}
    refused(lambda: parse(seen, nonce, claims_options=other), JoseError, "iss")
    forged = {**seen, "id_token": flip_signature(seen["id_token"])}
    refused(lambda: parse(forged, nonce), BadSignatureError)
