"""Signs the demo's member in to Loop's own app, as a browser does, and prints a refresh token."""

from __future__ import annotations

import base64
import hashlib
import os
import secrets
from html.parser import HTMLParser
from urllib.parse import parse_qs, urlsplit

import httpx

APP = "cli_loop_app"
REDIRECT = "http://127.0.0.1:5998/callback"


class Form(HTMLParser):
    """The first form of a page: where it goes, and its fields."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.action = ""
        self.fields: dict[str, str] = {}
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = dict(attrs)
        if tag == "form" and not self.action:
            self.action = attributes.get("action") or ""
        if tag == "input" and attributes.get("name"):
            self.fields[str(attributes["name"])] = attributes.get("value") or ""


def sign_in(api: str, email: str, password: str) -> dict[str, str]:
    """The token endpoint's answer for the member."""
    verifier = secrets.token_urlsafe(32)
    digest = hashlib.sha256(verifier.encode()).digest()
    query = {
        "response_type": "code",
        "client_id": APP,
        "redirect_uri": REDIRECT,
        "scope": "read:account read:biomarkers",
        "state": "s",
        "code_challenge": base64.urlsafe_b64encode(digest).decode().rstrip("="),
        "code_challenge_method": "S256",
    }
    with httpx.Client(base_url=api, timeout=20) as browser:
        answer = browser.get("/v1/oauth/authorize", params=query)
        for _ in range(10):
            location = answer.headers.get("location")
            if location and location.startswith(REDIRECT):
                break
            if location:
                answer = browser.get(location)
                continue
            form = Form(answer.raise_for_status().text)
            if "password" in form.fields:
                form.fields |= {"email": email, "password": password}
            else:
                form.fields["decision"] = "allow"
            answer = browser.post(form.action, data=form.fields, headers={"origin": api})
        [code] = parse_qs(urlsplit(answer.headers["location"]).query)["code"]
        grant = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": REDIRECT,
            "client_id": APP,
            "code_verifier": verifier,
        }
        tokens: dict[str, str] = browser.post("/v1/oauth/token", data=grant).raise_for_status().json()
        return tokens


if __name__ == "__main__":
    member, password = os.environ["LOOP_MEMBER"], os.environ["LOOP_MEMBER_PASSWORD"]
    print(sign_in(os.environ["LOOP_API"], member, password)["refresh_token"])
