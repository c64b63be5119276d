"""Who may see the dashboard."""

from __future__ import annotations

import asyncio
import logging
import re
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer

from orchestrator.dashboard.app import make_app
from orchestrator.dashboard.guard import TOKEN_VARIABLE, cookie_of, token_of
from orchestrator.errors import InputError

ROOT = Path(__file__).resolve().parents[3]
TOKEN = "0123456789abcdef?&%"
OTHER = "0123456789abcdef?&x"
PAGE = {"Accept": "text/html"}


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.1", "head", "", "localhost.evil"])
def test_other_machines_are_let_in_with_a_token_only(host: str) -> None:
    with pytest.raises(InputError, match=TOKEN_VARIABLE) as refusal:
        token_of({}, host)
    assert "\n" not in str(refusal.value)
    assert token_of({TOKEN_VARIABLE: TOKEN}, host) == TOKEN


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2", "::1", "localhost"])
def test_this_machine_needs_none_and_may_have_one(host: str) -> None:
    assert token_of({}, host) is None
    assert token_of({TOKEN_VARIABLE: TOKEN}, host) == TOKEN


@pytest.mark.parametrize("weak", ["", "short", "x" * 201, "with spaces in between", "ünï" * 10])
def test_a_weak_token_is_refused_and_not_said(weak: str) -> None:
    for host in ("127.0.0.1", "0.0.0.0"):
        with pytest.raises(InputError, match="16 to 200") as refusal:
            token_of({TOKEN_VARIABLE: weak}, host)
        assert not weak or weak not in str(refusal.value)


def test_without_the_token_there_is_nothing_to_see(five: Any, caplog: Any) -> None:
    caplog.set_level(logging.DEBUG)
    study = "/study/five/"
    paths = ("/", study, f"{study}state.json", "/metrics", "/study/none/", "/nothing")
    wrong: list[dict[str, str]] = [
        {},
        {"Authorization": f"Bearer {OTHER}"},
        {"Authorization": f"Basic {TOKEN}"},
        {"Authorization": TOKEN},
        {"Authorization": "Bearer ünï"},
        {"Cookie": f"latentgrid={TOKEN}"},
        {"Cookie": f"latentgrid={cookie_of(OTHER)}"},
    ]

    async def ask() -> None:
        async with TestClient(TestServer(make_app(five.folder.out, "0.0.0.0", TOKEN))) as client:
            for path in paths:
                for headers in wrong:
                    answer = await client.get(path, headers=headers)
                    text = await answer.text()
                    assert answer.status == 401, (path, headers)
                    assert answer.headers["WWW-Authenticate"] == "Bearer"
                    assert "five" not in text and TOKEN not in text
                page = await client.get(path, headers=PAGE)
                text = await page.text()
                assert page.status == 401 and "<form" in text and "five" not in text
            for path in ("/metrics", study):
                answer = await client.get(path, headers={"Authorization": f"bearer  {TOKEN} "})
                assert answer.status == 200 and "five" in await answer.text()
            assert (await client.get("/static/icon.svg")).status == 200
            assert TOKEN not in caplog.text and cookie_of(TOKEN) not in caplog.text
            # In an address it would be in every log on the way.
            assert (await client.get("/", params={"token": TOKEN})).status == 401

    asyncio.run(ask())


def test_a_person_gives_the_token_once(five: Any) -> None:
    async def log_in() -> None:
        # 127.0.0.1, as the client's jar of cookies takes none of other addresses.
        async with TestClient(TestServer(make_app(five.folder.out, "127.0.0.1", TOKEN))) as client:
            client.session.cookie_jar._unsafe = True  # type: ignore[attr-defined]
            refused = await client.post("/login", data={"token": OTHER})
            assert refused.status == 401 and "not it" in await refused.text()
            assert not refused.cookies and (await client.get("/")).status == 401
            for body in (b"", b"token", b"\xff=%ff&token=%00", b"token=" + b"x" * 2000):
                assert (await client.post("/login", data=body)).status == 401
            assert (await client.post("/login", data=b"x" * 5000)).status == 413
            done = await client.post("/login", data={"token": TOKEN}, allow_redirects=False)
            assert done.status == 303 and TOKEN not in str(done.headers)
            kept = done.cookies["latentgrid"]
            assert kept["httponly"] and kept["samesite"] == "Lax" and kept.value != TOKEN
            page = await client.get("/")
            assert page.status == 200 and "five" in await page.text()

    asyncio.run(log_in())


def test_a_login_that_nobody_asks_for_is_not_there(five: Any, ask: Any) -> None:
    [answer] = ask(five.folder.out, "/login", method="POST")
    assert answer.status == 404


def test_as_a_user_starts_it(five: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """On all of 127/8, as other addresses would be open to others while the tests run."""
    command = [sys.executable, "-m", "orchestrator", "dashboard", str(five.folder.out)]
    command += ["--port", "0"]
    monkeypatch.delenv(TOKEN_VARIABLE, raising=False)
    refused = subprocess.run(
        [*command, "--host", "0.0.0.0"], capture_output=True, text=True, cwd=ROOT, timeout=60
    )
    assert refused.returncode == 2
    [line] = refused.stderr.splitlines()
    assert TOKEN_VARIABLE in line and "valid: " in line
    monkeypatch.setenv(TOKEN_VARIABLE, TOKEN)
    process = subprocess.Popen(
        [*command, "--host", "127.0.0.2"], stderr=subprocess.PIPE, text=True, cwd=ROOT
    )
    assert process.stderr is not None
    with process, process.stderr:
        found = re.fullmatch(r"dashboard: (http://127\.0\.0\.2:\d+/)\n", process.stderr.readline())
        assert found is not None
        with pytest.raises(urllib.error.HTTPError, match="401"):
            urllib.request.urlopen(f"{found[1]}metrics", timeout=30)
        bearer = urllib.request.Request(
            f"{found[1]}metrics", headers={"Authorization": f"Bearer {TOKEN}"}
        )
        with urllib.request.urlopen(bearer, timeout=30) as answer:
            assert b"latentgrid_trials" in answer.read()
        port = int(found[1].rpartition(":")[2].strip("/"))
        with socket.create_connection(("127.0.0.2", port), timeout=30) as spoken:
            spoken.sendall(f"GET / HTTP/1.1\r\nAuthorization Bearer {TOKEN}\r\n\r\n".encode())
            assert b" 400 " in spoken.recv(1000)  # and nothing is said of it below
        process.terminate()
        assert process.wait(timeout=30) == 0
        assert process.stderr.read() == ""
