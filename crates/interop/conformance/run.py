#!/usr/bin/env python3
"""Runs plans of the OpenID Foundation's conformance suite against a stampmill that is being served.

    run.py [--suite https://localhost:8443] [--server https://localhost:9443] [--only MODULE] PLAN...

The suite (openid-certification/conformance-suite) is somebody else's program: build and start it as its README says. A
PLAN is one of the names below, or a plan of the suite with its variants: `oidcc-test-plan[client_auth_type=none]...`.
Prints one line a module. The person who signs in is taken from SUITE_USERNAME and SUITE_PASSWORD. The exit code is 1 if a module failed, was interrupted or did not finish. docs/conformance/README.md tells more.
"""

import argparse
import json
import os
import re
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

BASIC = "[server_metadata=discovery][client_registration={registration}]"
LOGOUT = "[response_type=code][client_registration={registration}]"
PLANS = {
    "config": "oidcc-config-certification-test-plan",
    "basic": "oidcc-basic-certification-test-plan" + BASIC,
    "hybrid": "oidcc-hybrid-certification-test-plan" + BASIC,
    "formpost-basic": "oidcc-formpost-basic-certification-test-plan" + BASIC,
    "formpost-hybrid": "oidcc-formpost-hybrid-certification-test-plan" + BASIC,
    "dynamic": "oidcc-dynamic-certification-test-plan[response_type=code]",
    "3rdparty-init": "oidcc-3rdparty-init-login-certification-test-plan[response_type=code]",
    "rp-initiated-logout": "oidcc-rp-initiated-logout-certification-test-plan" + LOGOUT,
    "backchannel-logout": "oidcc-backchannel-rp-initiated-logout-certification-test-plan" + LOGOUT,
    "frontchannel-logout": "oidcc-frontchannel-rp-initiated-logout-certification-test-plan" + LOGOUT,
    "session-management": "oidcc-session-management-certification-test-plan" + LOGOUT,
}

# Wants to see new signing keys appear.
ROTATION = "oidcc-server-rotate-keys"

# What a module may end with and still count as passed: WARNING and REVIEW are what certification accepts, too.
ACCEPTED = {"PASSED", "WARNING", "REVIEW", "SKIPPED"}

# A module that has neither finished nor asked for a person after this many seconds is counted as stuck.
PATIENCE = 120


def main():
    arguments = read_arguments()
    suite = Suite(arguments.suite)
    config = configuration(arguments.server, os.environ["SUITE_USERNAME"], os.environ["SUITE_PASSWORD"])
    bad = 0
    for name in arguments.plans:
        plan, variant = parse_plan(PLANS.get(name, name).format(registration=arguments.registration))
        bad += run_plan(suite, plan, variant, config | clients(plan), arguments)
    sys.exit(1 if bad else 0)


def read_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--suite", default="https://localhost:8443", help="where the suite listens")
    parser.add_argument("--server", default="https://localhost:9443", help="our issuer")
    parser.add_argument("--registration", default="static_client", choices=["static_client", "dynamic_client"])
    parser.add_argument("--only", help="run only modules whose name contains this")
    parser.add_argument("--rotate", metavar="COMMAND", help="rotates the server's signing keys; run when a module waits for that")
    parser.add_argument("--verbose", action="store_true", help="print failed conditions of modules that passed, too")
    parser.add_argument("plans", nargs="+", metavar="PLAN", help="; ".join(PLANS))
    return parser.parse_args()


# ---- what the suite has to know of our server -------------------------------------------------------------------------

# Modules that want to see our error page instead of a redirect, where a person would take a picture of it.
ERROR_PAGE = [
    "oidcc-ensure-registered-redirect-uri",
    "oidcc-ensure-redirect-uri-in-authorization-request",
    "oidcc-ensure-request-object-with-redirect-uri",
    "oidcc-redirect-uri-query-added",
    "oidcc-redirect-uri-query-mismatch",
]
# Modules that sign in twice; of the second sign-in page a picture is taken.
SECOND_SIGN_IN = ["oidcc-prompt-login", "oidcc-max-age-1"]
# Modules that want to see what the sign-in page tells of the client.
ABOUT_THE_CLIENT = [f"oidcc-registration-{member}-uri" for member in ["logo", "policy", "tos"]]

# Modules of RP-initiated logout, by the page they want to see a picture of at the end.
LOGOUT_ASKS = ["oidcc-rp-initiated-logout-no-params", "oidcc-rp-initiated-logout-only-state"]
LOGOUT_ENDS = ["oidcc-rp-initiated-logout-no-post-logout-redirect-uri"]
LOGOUT_REFUSED = [
    "oidcc-rp-initiated-logout-bad-post-logout-redirect-uri",
    "oidcc-rp-initiated-logout-query-added-to-post-logout-redirect-uri",
    "oidcc-rp-initiated-logout-no-id-token-hint",
    "oidcc-rp-initiated-logout-modified-id-token-hint",
    "oidcc-rp-initiated-logout-bad-id-token-hint",
]

PICTURE = "update-image-placeholder"
PICTURE_IF_WANTED = "update-image-placeholder-optional"


def configuration(server, username, password):
    """The suite's configuration: docs/conformance/stampmill.toml has our side of it."""
    override = {module: {"browser": [error_page(server)]} for module in ERROR_PAGE}
    override |= {module: {"browser": [sign_in(server, username, password, picture=True)]} for module in SECOND_SIGN_IN + ABOUT_THE_CLIENT}
    logout_pages = {
        **{module: [ask_to_sign_out(server), picture(server, "Signed out")] for module in LOGOUT_ASKS},
        **{module: [picture(server, "Signed out")] for module in LOGOUT_ENDS},
        **{module: [picture(server, "This cannot be done")] for module in LOGOUT_REFUSED},
    }
    for module, tasks in logout_pages.items():
        override[module] = {"browser": [sign_in(server, username, password), sign_out(server, tasks)]}
    return {
        "alias": "stampmill",
        "description": "stampmill",
        "server": {"discoveryUrl": f"{server}/.well-known/openid-configuration"},
        "client": client("suite-1"),
        "client2": client("suite-2"),
        "client_secret_post": client("suite-post"),
        "browser": [sign_in(server, username, password), sign_out(server, [wait_for_frames(server), back_from_sign_out()]), *check_session()],
        "override": override,
    }


def client(name):
    return {"client_id": name, "client_secret": f"{name}-secret-not-for-anything-else"}


def clients(plan):
    """Plans of one way to be told of a logout expect to be told in no other."""
    for words, name in [("backchannel", "suite-back"), ("frontchannel", "suite-front")]:
        if words in plan:
            return {"client": client(name)}
    return {}


def sign_in(server, username, password, picture=False):
    """What the suite's browser does at our authorization endpoint: everything is optional, for a session may exist."""
    look = [["wait", "xpath", "//*", 10, "Sign in", PICTURE_IF_WANTED]] if picture else []
    return {
        "match": f"{server}/authorize*",
        "tasks": [
            {
                "task": "Sign in",
                "optional": True,
                "match": f"{server}/*",
                "commands": look
                + [
                    ["text", "name", "username", username, "optional"],
                    ["text", "name", "password", password, "optional"],
                    ["click", "css", "form[action='/sign-in'] button", "optional"],
                ],
            },
            {
                "task": "Allow",
                "optional": True,
                "match": f"{server}/*",
                "commands": [["click", "css", "button[value='allow']", "optional"]],
            },
            {
                "task": "Back at the suite",
                "match": "*/test/*/callback*",
                "commands": [["wait", "id", "submission_complete", 10]],
            },
        ],
    }


def error_page(server):
    return {"match": f"{server}/authorize*", "tasks": [picture(server, "This cannot be done")]}


def sign_out(server, tasks):
    """What the suite's browser does at our end session endpoint."""
    return {"match": f"{server}/end_session*", "tasks": tasks}


def ask_to_sign_out(server):
    """Nobody showed an ID token, so the page asks first."""
    return {
        "task": "Sign out",
        "match": f"{server}/end_session*",
        "commands": [["click", "css", "button[value='end']"]],
    }


def wait_for_frames(server):
    """Where clients are told in frames, our page goes on when those have loaded."""
    return {
        "task": "Signed out",
        "optional": True,
        "match": f"{server}/end_session*",
        "commands": [["wait", "contains", "/post_logout_redirect", 10]],
    }


def back_from_sign_out():
    return {"task": "Back at the suite", "match": "*/test/*/post_logout_redirect*"}


def check_session():
    """The suite's page with the frames of session management goes on by itself when ours has answered."""
    task = {"task": "Frames", "match": "*session_verify*", "commands": [["wait", "contains", "session_result", 10]]}
    return [{"match": f"*/test/*/{page}*", "tasks": [task]} for page in ["session_verify", "second_session_verify"]]


def picture(server, words):
    """A page of ours that says this; the suite wants to see it."""
    return {
        "task": words,
        "match": f"{server}/*",
        "commands": [["wait", "xpath", "//*", 10, words, PICTURE]],
    }


# ---- running ----------------------------------------------------------------------------------------------------------


def parse_plan(text):
    """`name[key=value]...` to its parts."""
    variant = dict(pair.split("=", 1) for pair in re.findall(r"\[([^\]]*)\]", text))
    return text.split("[", 1)[0], variant


def run_plan(suite, plan, variant, config, arguments):
    created = suite.post("api/plan", {"planName": plan, "variant": json.dumps(variant)}, config)
    print(f"== {plan} {variant or ''} ({suite.address}plan-detail.html?plan={created['id']})", flush=True)
    tally = {}
    for module in created["modules"]:
        if arguments.only and arguments.only not in module["testModule"]:
            continue
        result, findings = run_module(suite, created["id"], module, arguments.rotate)
        tally[result] = tally.get(result, 0) + 1
        print(f"{result:12} {module['testModule']} {brief(module.get('variant'))}".rstrip(), flush=True)
        if result not in {"PASSED", "SKIPPED"} or arguments.verbose:
            for finding in findings:
                print(f"             {finding}", flush=True)
    print("   " + ", ".join(f"{count} {result}" for result, count in sorted(tally.items())), flush=True)
    return sum(count for result, count in tally.items() if result not in ACCEPTED)


def run_module(suite, plan, module, rotate):
    query = {"test": module["testModule"], "plan": plan, "variant": json.dumps(module.get("variant") or {})}
    test = suite.post("api/runner", query)["id"]
    deadline = time.monotonic() + PATIENCE
    started = False
    while True:
        info = suite.get(f"api/info/{test}")
        status = info["status"]
        if status == "CONFIGURED" and not started:
            # The one module that does not start by itself has read our keys and waits for others to be there.
            if rotate and module["testModule"] == ROTATION:
                subprocess.run(rotate, shell=True, check=True, stdout=subprocess.DEVNULL)
            suite.post(f"api/runner/{test}", {})
            started = True
        if status in {"FINISHED", "INTERRUPTED"}:
            return info.get("result") or status, findings_of(suite, test)
        if status == "WAITING" and started and needs_picture(suite, test):
            # A page that a person has to look at. The module waits for the picture and passes with REVIEW.
            return "REVIEW", findings_of(suite, test)
        if time.monotonic() > deadline:
            return "STUCK", findings_of(suite, test) + [f"status {status}"]
        time.sleep(0.3)


def needs_picture(suite, test):
    """Whether the browser has nothing left to do and the module waits for a screenshot to be uploaded."""
    runner = suite.get(f"api/runner/{test}")
    browser = runner.get("browser") or {}
    if browser.get("urls") and not browser.get("visited"):
        return False
    log = suite.get(f"api/log/{test}")
    waiting = [entry for entry in log if entry.get("upload")]
    return bool(waiting) and time.time() * 1000 - log[-1]["time"] > 4000


def findings_of(suite, test):
    """What conditions complained about, one line each."""
    log = suite.get(f"api/log/{test}")
    return [
        f"{entry['result']}: {entry.get('src')}: {entry.get('msg')}"
        for entry in log
        if entry.get("result") in {"FAILURE", "WARNING"}
    ]


def brief(variant):
    return " ".join(f"{key}={value}" for key, value in sorted((variant or {}).items()))


class Suite:
    """The suite's HTTP interface, in developer mode (no login)."""

    def __init__(self, address):
        self.address = address.rstrip("/") + "/"
        # The suite's own certificate is self-made; what is tested is our server's, and by others.
        self.tls = ssl._create_unverified_context()

    def get(self, path):
        return self.call("GET", path, None)

    def post(self, path, query, body=None):
        return self.call("POST", f"{path}?{urllib.parse.urlencode(query)}", body)

    def call(self, method, path, body):
        data = json.dumps(body).encode() if body is not None else (b"" if method == "POST" else None)
        request = urllib.request.Request(self.address + path, data, {"Content-Type": "application/json"}, method=method)
        try:
            with urllib.request.urlopen(request, context=self.tls, timeout=60) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            sys.exit(f"{method} {path}: {error.code} {error.read().decode(errors='replace')[:2000]}")


if __name__ == "__main__":
    main()
