"""OAuth2 on the stand-in, as RFC 6749, RFC 7636 and Discord's reference have it."""

from __future__ import annotations

import base64
import hashlib
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import aiohttp
import pytest

from playground.server import Playground

BACK = "http://127.0.0.1:9/back"
VERIFIER = "v" * 43
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).decode().rstrip("=")


@pytest.fixture
async def web(place: Playground) -> Any:
    place.world.consents.redirects.append(BACK)
    async with aiohttp.ClientSession() as session:
        yield session


def asking(place: Playground, **changed: str) -> dict[str, str]:
    query = {
        "response_type": "code", "client_id": str(place.world.application_id), "scope": "identify",
        "state": "st", "redirect_uri": BACK, "code_challenge": CHALLENGE, "code_challenge_method": "S256",
    }  # fmt: skip
    return {key: value for key, value in {**query, **changed}.items() if value}


async def press(place: Playground, web: Any, deed: str = "authorize", **changed: str) -> dict[str, str]:
    """What the browser brings back to the application."""
    form = {"person": str(place.user("Ben").id), "deed": deed}
    address = f"{place.url}/oauth2/authorize?{urlencode(asking(place, **changed))}"
    async with web.post(address, data=form, headers={"Origin": place.url}, allow_redirects=False) as answer:
        assert answer.status == 302, await answer.text()
        there = answer.headers["Location"]
    assert there.startswith(f"{BACK}?")
    return {key: values[0] for key, values in parse_qs(urlsplit(there).query).items()}


async def exchange(place: Playground, web: Any, code: str, /, **changed: str) -> tuple[int, Any]:
    form = {
        "grant_type": "authorization_code", "code": code, "redirect_uri": BACK, "code_verifier": VERIFIER,
        "client_id": str(place.world.application_id), "client_secret": place.world.consents.secret,
    }  # fmt: skip
    form = {key: value for key, value in {**form, **changed}.items() if value}
    async with web.post(f"{place.api}/oauth2/token", data=form) as answer:
        return answer.status, await answer.json()


async def me(place: Playground, web: Any, token: str) -> tuple[int, Any]:
    async with web.get(f"{place.api}/users/@me", headers={"Authorization": f"Bearer {token}"}) as answer:
        return answer.status, await answer.json()


async def test_a_person_lets_an_application_know_who_they_are(place: Playground, web: Any) -> None:
    async with web.get(f"{place.url}/oauth2/authorize", params=asking(place)) as answer:
        page = await answer.text()
    assert "zoetrope wants to access your account" in page and "Ben" in page and "not Discord" in page
    brought = await press(place, web)
    assert brought["state"] == "st" and brought["iss"] == place.url
    status, given = await exchange(place, web, brought["code"])
    assert status == 200
    assert {**given, "access_token": "", "refresh_token": ""} == {
        "token_type": "Bearer", "expires_in": 604_800, "scope": "identify", "access_token": "",
        "refresh_token": "",
    }  # fmt: skip
    status, person = await me(place, web, given["access_token"])
    assert status == 200 and person["username"] == "ben" and "email" not in person
    status, anew = await exchange(
        place, web, "", grant_type="refresh_token", refresh_token=given["refresh_token"]
    )
    assert status == 200 and (await me(place, web, anew["access_token"]))[0] == 200


async def test_a_refusal_goes_back_to_the_application(place: Playground, web: Any) -> None:
    brought = await press(place, web, deed="cancel")
    assert brought["error"] == "access_denied" and brought["state"] == "st" and "code" not in brought


@pytest.mark.parametrize(
    ("changed", "error"),
    [
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"scope": "identify email"}, "invalid_scope"),
        ({"scope": ""}, "invalid_scope"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"code_challenge": "short"}, "invalid_request"),
    ],
)
async def test_a_wrong_request_is_told_to_the_application(
    place: Playground, web: Any, changed: dict[str, str], error: str
) -> None:
    address = f"{place.url}/oauth2/authorize"
    async with web.get(address, params=asking(place, **changed), allow_redirects=False) as answer:
        assert answer.status == 302
        assert parse_qs(urlsplit(answer.headers["Location"]).query)["error"] == [error]


@pytest.mark.parametrize("changed", [{"client_id": "1"}, {"redirect_uri": "http://evil.example/back"}])
async def test_nobody_is_sent_where_nobody_registered(
    place: Playground, web: Any, changed: dict[str, str]
) -> None:
    address = f"{place.url}/oauth2/authorize"
    async with web.get(address, params=asking(place, **changed), allow_redirects=False) as answer:
        assert answer.status == 400


@pytest.mark.parametrize(
    ("changed", "status", "error"),
    [
        ({"code_verifier": ""}, 400, "invalid_request"),
        ({"code_verifier": "short"}, 400, "invalid_request"),
        ({"code_verifier": "w" * 43}, 400, "invalid_grant"),
        ({"redirect_uri": "http://127.0.0.1:9/other"}, 400, "invalid_grant"),
        ({"client_secret": "guess"}, 401, "invalid_client"),
        ({"client_id": "7"}, 401, "invalid_client"),
        ({"grant_type": "password"}, 400, "unsupported_grant_type"),
        ({"code": "guess"}, 400, "invalid_grant"),
    ],
)
async def test_a_code_is_good_for_its_application_alone(
    place: Playground, web: Any, changed: dict[str, str], status: int, error: str
) -> None:
    place.expect(status, "/oauth2/token")
    code = (await press(place, web))["code"]
    found, body = await exchange(place, web, code, **changed)
    assert (found, body["error"]) == (status, error)


async def test_a_code_is_good_once_and_not_for_long(place: Playground, web: Any) -> None:
    place.expect(400, "/oauth2/token")
    code = (await press(place, web))["code"]
    assert (await exchange(place, web, code))[0] == 200
    assert (await exchange(place, web, code))[0] == 400
    place.world.consents.code_lives = -1.0
    code = (await press(place, web))["code"]
    assert (await exchange(place, web, code))[0] == 400


async def test_the_secret_may_come_by_basic_and_the_body_is_a_form(place: Playground, web: Any) -> None:
    code = (await press(place, web))["code"]
    form = {
        "grant_type": "authorization_code", "code": code, "redirect_uri": BACK, "code_verifier": VERIFIER,
    }  # fmt: skip
    name, secret = str(place.world.application_id), place.world.consents.secret
    us = {"Authorization": aiohttp.encode_basic_auth(name, secret)}
    async with web.post(f"{place.api}/oauth2/token", data=form, headers=us) as answer:
        assert answer.status == 200
    place.expect(400, "/oauth2/token")
    async with web.post(f"{place.api}/oauth2/token", json=form, headers=us) as answer:
        assert answer.status == 400


async def test_a_persons_token_opens_nothing_else(place: Playground, web: Any) -> None:
    place.expect(401)
    token = (await exchange(place, web, (await press(place, web))["code"]))[1]["access_token"]
    headers = {"Authorization": f"Bearer {token}"}
    for path in (
        "/applications/@me",
        f"/users/{place.user('Ada').id}",
        f"/channels/{place.channel('clips')}",
    ):
        async with web.get(f"{place.api}{path}", headers=headers) as answer:
            assert answer.status == 401
    assert (await me(place, web, "guess"))[0] == 401
    place.world.consents.token_lives = -1.0
    token = (await exchange(place, web, (await press(place, web))["code"]))[1]["access_token"]
    assert (await me(place, web, token))[0] == 401


async def test_no_other_page_authorizes_for_a_person(place: Playground, web: Any) -> None:
    form = {"person": str(place.user("Ada").id), "deed": "authorize"}
    address = f"{place.url}/oauth2/authorize?{urlencode(asking(place))}"
    for headers in ({}, {"Origin": "http://evil.example"}, {"Origin": "null"}):
        async with web.post(address, data=form, headers=headers, allow_redirects=False) as answer:
            assert answer.status == 403
