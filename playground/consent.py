"""OAuth2: people let an application know who they are; codes, access tokens, and what is refused."""

import base64
import hashlib
import hmac
import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

from playground.records import Json

#: What may be asked for here: Discord has more scopes, of which the stand-in gives nothing.
SCOPES = ("identify",)
#: RFC 7636, 4.1; Discord holds to it.
VERIFIER = re.compile(r"[A-Za-z0-9\-._~]{43,128}")
CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")


class Denied(Exception):
    """An answer of RFC 6749: `error`, what is said of it, and the status where it is no redirect."""

    def __init__(self, error: str, about: str = "", status: int = 400) -> None:
        self.error, self.about, self.status = error, about, status
        super().__init__(f"{error}: {about}")

    def body(self) -> Json:
        return {"error": self.error} | ({"error_description": self.about} if self.about else {})


@dataclass(frozen=True)
class Ask:
    """An authorization request whose client and redirect are known to be right."""

    redirect: str
    state: str | None
    scopes: tuple[str, ...]
    challenge: str | None


@dataclass(frozen=True)
class Grant:
    """What a person agreed to; `until` is seconds since 1970."""

    user_id: int
    scopes: tuple[str, ...]
    until: float
    redirect: str = ""
    challenge: str | None = None


class Consents:
    """One application's. `redirects` are the addresses that its owner registered; Discord takes no others.

    code_lives: seconds in which a code is exchanged (RFC 6749, 4.1.2: at most ten minutes). token_lives:
    seconds of an access token, as Discord's reference shows them.
    """

    def __init__(self, client_id: int, secret: str, clock: Callable[[], float]) -> None:
        self.client_id = client_id
        self.secret = secret
        self.issuer = "http://127.0.0.1"
        self.redirects: list[str] = []
        self.code_lives = 600.0
        self.token_lives = 604_800.0
        self._clock = clock
        self._codes: dict[str, Grant] = {}
        self._tokens: dict[str, Grant] = {}
        self._refreshes: dict[str, Grant] = {}

    # The person's browser

    def asked(self, query: Mapping[str, str]) -> Ask:
        """What a browser was sent here for. Denied where there is nowhere safe to send it back to."""
        if query.get("client_id") != str(self.client_id):
            raise Denied("invalid_client", "Unknown Application")
        redirect = query.get("redirect_uri", "")
        if redirect not in self.redirects:
            raise Denied("invalid_request", 'Invalid OAuth2 "redirect_uri"')
        scopes = tuple(query.get("scope", "").split())
        return Ask(redirect, query.get("state"), scopes, query.get("code_challenge"))

    @staticmethod
    def wrong(query: Mapping[str, str], ask: Ask) -> Denied | None:
        """What is wrong with a request that can be sent back to its application."""
        if query.get("response_type") != "code":
            return Denied("unsupported_response_type", "The stand-in gives codes only.")
        if not ask.scopes or set(ask.scopes) - set(SCOPES):
            return Denied("invalid_scope", "The requested scope is invalid, unknown, or malformed.")
        if ask.challenge is not None:
            if query.get("code_challenge_method") != "S256":
                return Denied("invalid_request", 'Unsupported "code_challenge_method"')
            if not CHALLENGE.fullmatch(ask.challenge):
                return Denied("invalid_request", 'Invalid "code_challenge"')
        return None

    def agreed(self, ask: Ask, user_id: int) -> str:
        """Where the person's browser goes on: back to the application, with a code."""
        code = secrets.token_urlsafe(24)
        until = self._clock() + self.code_lives
        self._codes[code] = Grant(user_id, ask.scopes, until, ask.redirect, ask.challenge)
        return self._back(ask, {"code": code})

    def refused(self, ask: Ask, why: Denied | None = None) -> str:
        """Where it goes on when the person, or the stand-in, says no."""
        words = "The resource owner or authorization server denied the request"
        return self._back(ask, (why or Denied("access_denied", words)).body())

    def _back(self, ask: Ask, values: Json) -> str:
        state = {} if ask.state is None else {"state": ask.state}
        return f"{ask.redirect}?{urlencode({**values, **state, 'iss': self.issuer})}"

    # The application

    def exchange(self, form: Mapping[str, str], basic: tuple[str, str] | None) -> Json:
        """A code or a refresh token for an access token. Raises Denied."""
        client, secret = basic or (form.get("client_id", ""), form.get("client_secret", ""))
        if client != str(self.client_id) or not hmac.compare_digest(secret.encode(), self.secret.encode()):
            raise Denied("invalid_client", status=401)
        kind = form.get("grant_type")
        if kind == "authorization_code":
            return self._issue(self._by_code(form))
        if kind == "refresh_token":
            grant = self._refreshes.pop(form.get("refresh_token", ""), None)
            if grant is None:
                raise Denied("invalid_grant", 'Invalid "refresh_token" in request.')
            return self._issue(grant)
        raise Denied("unsupported_grant_type", "Grant type None is not supported")

    def _by_code(self, form: Mapping[str, str]) -> Grant:
        grant = self._codes.pop(form.get("code", ""), None)  # good for once, whatever comes of it
        if grant is None or grant.until < self._clock():
            raise Denied("invalid_grant", 'Invalid "code" in request.')
        if form.get("redirect_uri") != grant.redirect:
            raise Denied("invalid_grant", 'Invalid "redirect_uri" in request.')
        if grant.challenge is not None:
            verifier = form.get("code_verifier", "")
            digest = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
            if not VERIFIER.fullmatch(verifier):
                about = "Invalid" if verifier else "Missing"
                raise Denied("invalid_request", f'{about} "code_verifier"')
            if not hmac.compare_digest(digest, grant.challenge):
                raise Denied("invalid_grant", 'Invalid "code_verifier"')
        return grant

    def _issue(self, grant: Grant) -> Json:
        access, refresh = secrets.token_urlsafe(24), secrets.token_urlsafe(24)
        self._tokens[access] = Grant(grant.user_id, grant.scopes, self._clock() + self.token_lives)
        self._refreshes[refresh] = self._tokens[access]
        return {
            "token_type": "Bearer",
            "access_token": access,
            "expires_in": int(self.token_lives),
            "refresh_token": refresh,
            "scope": " ".join(grant.scopes),
        }

    def bearer(self, token: str, scope: str) -> int | None:
        """The person whose access token that is, where it is good for that."""
        grant = self._tokens.get(token)
        if grant is None or grant.until < self._clock() or scope not in grant.scopes:
            return None
        return grant.user_id
