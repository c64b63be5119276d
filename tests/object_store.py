"""A real S3 server on loopback, and a proxy before it that does what networks do."""

from __future__ import annotations

import http.client
import http.server
import itertools
import os
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_buckets = itertools.count()


@contextmanager
def s3_server() -> Iterator[int]:
    """A server in a process of its own; gives its port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        deadline = time.monotonic() + 60
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                assert process.poll() is None and time.monotonic() < deadline
                time.sleep(0.1)
        yield port
    finally:
        process.kill()
        process.wait()


def make_bucket(port: int) -> str:
    """The URL of a new bucket."""
    name = f"bucket-{os.getpid()}-{next(_buckets)}"
    request = urllib.request.Request(f"http://127.0.0.1:{port}/{name}", method="PUT")
    urllib.request.urlopen(request).close()
    return f"s3://{name}"


class Proxy:
    """Hands requests on to the server at `target`; `fault` says what goes wrong meanwhile.

    None; `down`: no answer, the request is not handed on; `error`: 500; `slow`: answers come after
    `delay_seconds`; `half`: the body ends in its middle; `lost`: done, and never answered;
    `if-match`, `if-none-match`: that condition is not handed on. With `times` so many requests
    suffer it, or with `every` one of so many. `seen` has method and path of every request.
    """

    def __init__(self, target: int) -> None:
        self.target = target
        self.fault: str | None = None
        self.times: int | None = None
        self.every = 1
        self.delay_seconds = 0.2
        self.seen: list[tuple[str, str]] = []
        self._lock, self._turn = threading.Lock(), threading.Lock()
        proxy = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True  # else an answer waits 40 ms for its second packet

            def handle_any(self) -> None:
                proxy._answer(self)

            do_GET = do_PUT = do_HEAD = do_DELETE = do_POST = handle_any

            def log_message(self, *arguments: Any) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def suffer(self, fault: str | None, times: int | None = None, every: int = 1) -> None:
        with self._lock:
            self.fault, self.times, self.every = fault, times, every

    def _fault(self) -> str | None:
        with self._lock:
            if len(self.seen) % self.every:
                return None
            if self.times is not None:
                if self.times == 0:
                    return None
                self.times -= 1
            return self.fault

    def _answer(self, handler: http.server.BaseHTTPRequestHandler) -> None:
        self.seen.append((handler.command, handler.path))
        body = handler.rfile.read(int(handler.headers.get("Content-Length") or 0))
        fault = self._fault()
        if fault == "down":
            handler.close_connection = True
            return
        if fault == "error":
            handler.send_response(500)
            handler.send_header("Content-Length", "0")
            handler.end_headers()
            return
        connection = http.client.HTTPConnection("127.0.0.1", self.target, timeout=60)
        try:
            # One after the other, as moto looks at a PUT's condition some time before it puts.
            with self._turn:
                headers = {n: v for n, v in handler.headers.items() if n.lower() != fault}
                connection.request(handler.command, handler.path, body, headers)
                answer = connection.getresponse()
                content = answer.read()
        finally:
            connection.close()
        if fault == "slow":
            time.sleep(self.delay_seconds)
        if fault == "lost":
            handler.close_connection = True
            return
        handler.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in ("content-length", "transfer-encoding", "connection"):
                handler.send_header(name, value)
        length = answer.getheader("Content-Length") if handler.command == "HEAD" else len(content)
        handler.send_header("Content-Length", str(length))
        handler.end_headers()
        if fault == "half":
            content = content[: len(content) // 2]
            handler.close_connection = True
        if handler.command != "HEAD":
            handler.wfile.write(content)
