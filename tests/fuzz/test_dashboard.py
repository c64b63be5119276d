"""Requests of every kind are answered, by pages or by what is wrong with them."""

from __future__ import annotations

import asyncio
from pathlib import Path
from urllib.parse import quote

import pytest
from aiohttp.test_utils import TestServer
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestrator.dashboard.app import make_app
from results.store import StudyFolder
from tests.fuzz.study import make_study

TOKEN = "0123456789abcdef"
SECRETS = (b"schema_version", b"root:x", b"def make_app", b"precious")
WAIT_SECONDS = 3.0
ANSWERS = {100, 200, 206, 302, 303, 304, 400, 401, 403, 404, 405, 413, 416, 417, 431}

NAMES = st.one_of(
    st.sampled_from(
        ["small", "..", ".", "", "%2e%2e", "%2f", "%00", "%", "%ff", "small%2f..", "*"]
    ),
    st.text(max_size=5).map(quote),
    st.integers(0, 9000).map(lambda count: "9" * count),
)
PATHS = st.one_of(
    st.lists(NAMES, max_size=5).map(lambda parts: "/" + "/".join(parts)),
    st.tuples(
        st.sampled_from(["grid.json", "state.json", "scores.json", "curves.json", "trial/x/", ""])
    ).map(lambda parts: f"/study/small/{parts[0]}"),
    st.sampled_from(
        ["/metrics", "/login", "/static/page.js", "/static/../app.py", "http://x/", "*"]
    ),
)
QUERIES = st.lists(
    st.tuples(
        st.sampled_from(
            ["trials", "metric", "score", "representation", "size", "at", "token", "x"]
        ),
        st.one_of(NAMES, st.sampled_from(["0,1", "-1", "1e9", "mig", "full", "fast", "last", "²"])),
    ),
    max_size=6,
).map(lambda items: "&".join(f"{name}={value}" for name, value in items))
HEADERS = st.lists(
    st.tuples(
        st.sampled_from(
            ["Host", "Accept", "Authorization", "Cookie", "If-None-Match", "Range",
             "Accept-Encoding", "Content-Length", "Transfer-Encoding", "Upgrade", "Connection"]
        ),
        st.one_of(
            st.sampled_from(
                ["localhost", "[::1", "[", "::1]:", "evil.example", "text/html", "Bearer",
                 f"Bearer {TOKEN}", "latentgrid=x", 'W/"x"', '"', "bytes=0-", "close",
                 "chunked", "100-continue"]
            ),
            st.text(st.characters(codec="latin-1", exclude_categories=["Cc"]), max_size=20),
            st.integers(0, 9000).map(lambda count: "a" * count),
        ),
    ),
    max_size=4,
)  # fmt: skip


@st.composite
def requests(draw: st.DrawFn) -> bytes:
    method = draw(st.sampled_from(["GET", "GET", "GET", "HEAD", "POST", "PUT", "OPTIONS", "X"]))
    query = draw(QUERIES)
    target = (draw(PATHS) + (f"?{query}" if query else "")).encode("utf-8", "surrogatepass")
    headers = draw(HEADERS)
    if not any(name == "Host" for name, _ in headers):
        headers.append(("Host", "localhost"))
    lines = [f"{name}: {value}".encode("latin-1", "replace") for name, value in headers]
    body = draw(st.sampled_from([b"", b"token=x", b"\xff" * 20]))
    if body and not any(name == "Content-Length" for name, _ in headers):
        lines.append(f"Content-Length: {len(body)}".encode())
    head = b"\r\n".join([b" ".join([method.encode(), target, b"HTTP/1.1"]), *lines])
    return head + b"\r\nConnection: close\r\n\r\n" + body


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> StudyFolder:
    return make_study(tmp_path_factory.mktemp("out"))


async def answered(port: int, request: bytes) -> bytes:
    """What comes back until the server closes, or waits for more of a request that has no more."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request)
    answer = b""
    try:
        while piece := await asyncio.wait_for(reader.read(2**16), WAIT_SECONDS):
            answer += piece
    except (TimeoutError, ConnectionResetError):
        pass
    writer.close()
    return answer


def check(root: Path, examples: int, token: str | None) -> None:
    (root.parent / "precious").write_text("precious")
    before = sorted((path, path.lstat().st_mtime_ns) for path in root.parent.rglob("*"))
    loop = asyncio.new_event_loop()
    server = TestServer(make_app(root, "127.0.0.1", token))
    loop.run_until_complete(server.start_server())
    port = server.port
    assert port is not None

    counts = {"answered": 0, "waited": 0}

    @settings(
        max_examples=examples,
        database=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
    @given(requests())
    def is_answered(request: bytes) -> None:
        answer = loop.run_until_complete(answered(port, request))
        counts["answered" if answer else "waited"] += 1
        if answer:
            assert int(answer.split()[1]) in ANSWERS, answer[:300]
        for secret in SECRETS:
            assert secret not in answer

    try:
        is_answered()
    finally:
        loop.run_until_complete(server.close())
        loop.close()
    assert counts["answered"] > counts["waited"]
    assert before == sorted((path, path.lstat().st_mtime_ns) for path in root.parent.rglob("*"))


@pytest.mark.parametrize("token", [None, TOKEN])
def test_a_few_requests(folder: StudyFolder, token: str | None) -> None:
    check(folder.out, 60, token)


@pytest.mark.slow
@pytest.mark.parametrize("token", [None, TOKEN])
def test_many_requests(folder: StudyFolder, token: str | None) -> None:
    check(folder.out, 5000, token)


def test_a_number_of_thousands_of_digits(folder: StudyFolder) -> None:
    """Python refuses to read it, by an error."""

    async def ask() -> bytes:
        async with TestServer(make_app(folder.out)) as server:
            assert server.port is not None
            path = f"/study/small/curves.json?trials={'9' * 5000}"
            return await answered(
                server.port,
                f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode(),
            )

    assert asyncio.run(ask()).split()[1] == b"200"


def test_every_route_is_reached(folder: StudyFolder) -> None:
    routes = {route.resource.canonical for route in make_app(folder.out).router.routes()}  # type: ignore[union-attr]
    assert "/metrics" in routes and len(routes) >= 11
