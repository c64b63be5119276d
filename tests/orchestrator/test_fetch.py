"""Against a server on this machine that answers each path as a test says."""

from __future__ import annotations

import errno
import fcntl
import gzip
import hashlib
import shutil
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Literal

import pytest

from orchestrator.data_files import Checksum, OriginalFile
from orchestrator.errors import InputError
from orchestrator.fetch import FetchError, digest, fetch, verify

CONTENT = bytes(range(256)) * 4000  # 1,024,000 bytes: several reads
HALF = len(CONTENT) // 2
PART = "songs/.song.bin.part"
PLACE = "songs/song.bin"
HTML = b"<!DOCTYPE html>\n<html><body>Please log in</body></html>"

Answer = Callable[[BaseHTTPRequestHandler], None]


@dataclass
class Site:
    """Answers by path, given in turn, the last one again and again; and what was asked."""

    url: str = ""
    answers: dict[str, list[Answer]] = field(default_factory=dict)
    asked: list[tuple[str, str | None]] = field(default_factory=list)  # path, Range
    headers: list[dict[str, str]] = field(default_factory=list)

    def says(self, path: str, *answers: Answer) -> str:
        self.answers[path] = list(answers)
        return self.url + path

    @property
    def ranges(self) -> list[str | None]:
        return [span for _, span in self.asked]


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    site = Site()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            site.asked.append((self.path, self.headers["Range"]))
            site.headers.append(dict(self.headers))
            self.close_connection = True
            answers = site.answers[self.path]
            answer = answers.pop(0) if len(answers) > 1 else answers[0]
            try:
                answer(self)
            except ConnectionError:
                pass  # the client has had enough

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        site.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=lambda: server.serve_forever(poll_interval=0.01))
        thread.start()
        yield site
        server.shutdown()
        thread.join()


def send(handler: BaseHTTPRequestHandler, status: int, body: bytes, **headers: str) -> None:
    headers = {"Content_Length": str(len(body)), "Connection": "close", **headers}
    handler.send_response(status)
    for name, value in headers.items():
        handler.send_header(name.replace("_", "-"), value)
    handler.end_headers()
    handler.wfile.write(body)


def status(code: int) -> Answer:
    return lambda handler: send(handler, code, b"<html>sorry</html>", Content_Type="text/html")


def whole(content: bytes = CONTENT, **headers: str) -> Answer:
    """A server that knows no ranges."""
    return lambda handler: send(handler, 200, content, **headers)


def ranged(content: bytes = CONTENT, *, until: int | None = None) -> Answer:
    """A server that knows ranges; with `until`, its connection ends before that byte."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        size, span = len(content), handler.headers["Range"]
        start = int(span.removeprefix("bytes=").removesuffix("-")) if span else 0
        if start >= size:
            return send(handler, 416, b"", Content_Range=f"bytes */{size}")
        more = {"Content_Range": f"bytes {start}-{size - 1}/{size}"} if span else {}
        body = content[start:until]
        send(handler, 206 if span else 200, body, Content_Length=str(size - start), **more)

    return answer


def redirect(to: str) -> Answer:
    return lambda handler: send(handler, 302, b"", Location=to)


def endless(handler: BaseHTTPRequestHandler) -> None:
    """More than anybody wants, yet nothing that fills a disk if nobody cuts it off."""
    handler.send_response(200)
    handler.end_headers()
    for _ in range(50):
        handler.wfile.write(CONTENT)


def silent(handler: BaseHTTPRequestHandler) -> None:
    """Sends the beginning, then nothing for longer than the client waits."""
    handler.send_response(200)
    handler.send_header("Content-Length", str(len(CONTENT)))
    handler.end_headers()
    handler.wfile.write(CONTENT[:HALF])
    handler.connection.settimeout(2.0)
    handler.connection.recv(1)  # returns when the client hangs up


def song(
    *urls: str,
    content: bytes | None = CONTENT,
    size: int | None = None,
    name: str = "song.bin",
    note: str = "",
) -> OriginalFile:
    """A file with the checksum of `content`; None for a file without a checksum."""
    checksum = content is not None and Checksum(
        algorithm="sha256", digest=hashlib.sha256(content).hexdigest()
    )
    return OriginalFile(
        folder="songs",
        name=name,
        urls=urls,
        checksum=checksum or None,
        size_bytes=size,
        note=note,
    )


def get(file: OriginalFile, data: Path, **options: Any) -> Literal["present", "downloaded"]:
    return fetch(file, data, **{"pauses": (0.0, 0.0), "timeouts": (1.0, 0.2), **options})


def failure(file: OriginalFile, data: Path, **options: Any) -> str:
    """What the user reads, which is one line."""
    with pytest.raises(FetchError) as error:
        get(file, data, **options)
    line = str(error.value)
    assert "\n" not in line
    return line


def put(data: Path, name: str, content: bytes) -> None:
    (data / name).parent.mkdir(parents=True, exist_ok=True)
    (data / name).write_bytes(content)


def left(data: Path) -> dict[str, bytes]:
    """All files on the disk, hidden ones too."""
    files = (path for path in data.rglob("*") if path.is_file() or path.is_symlink())
    return {str(path.relative_to(data)): path.read_bytes() for path in files}


def test_a_file_is_downloaded_whole(site: Site, tmp_path: Path) -> None:
    url = site.says("/song.bin", ranged())
    reported: list[tuple[int, int | None]] = []
    file = song(url, size=len(CONTENT))
    assert get(file, tmp_path, report=lambda *sizes: reported.append(sizes)) == "downloaded"
    assert left(tmp_path) == {PLACE: CONTENT}
    assert site.ranges == [None]
    assert site.headers[0]["Accept-Encoding"] == "identity"
    assert reported[0] == (0, len(CONTENT))
    assert reported[-1] == (len(CONTENT), len(CONTENT))


def test_a_size_that_nobody_tells_is_reported_as_none(site: Site, tmp_path: Path) -> None:
    def unsized(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.end_headers()
        handler.wfile.write(CONTENT)

    reported: list[tuple[int, int | None]] = []
    url = site.says("/song.bin", unsized)
    get(song(url), tmp_path, report=lambda *sizes: reported.append(sizes))
    assert reported[-1] == (len(CONTENT), None)
    assert left(tmp_path) == {PLACE: CONTENT}


def test_a_file_without_checksum_is_taken_as_it_comes(site: Site, tmp_path: Path) -> None:
    url = site.says("/song.bin", ranged())
    assert get(song(url, content=None), tmp_path) == "downloaded"
    assert get(song(url, content=None), tmp_path) == "present"
    assert left(tmp_path) == {PLACE: CONTENT}


def test_a_good_file_is_verified_without_any_request(site: Site, tmp_path: Path) -> None:
    put(tmp_path, PLACE, CONTENT)
    assert get(song(site.url + "/song.bin"), tmp_path) == "present"
    assert site.asked == []


@pytest.mark.parametrize(
    ("content", "size", "found"),
    [
        (b"mine", None, f"sha256 is {hashlib.sha256(b'mine').hexdigest()}"),
        (b"mine", 1000, "is 4 bytes, expected 1,000"),
    ],
)
def test_a_wrong_file_is_refused_and_left(
    content: bytes, size: int | None, found: str, site: Site, tmp_path: Path
) -> None:
    put(tmp_path, PLACE, content)
    file = song(site.url + "/song.bin", size=size, note="recorded elsewhere")
    line = failure(file, tmp_path)
    assert str(tmp_path / PLACE) in line and found in line
    assert size is not None or hashlib.sha256(CONTENT).hexdigest() in line
    assert "(recorded elsewhere); move it away and fetch again" in line
    assert left(tmp_path) == {PLACE: content}
    assert site.asked == []


def test_a_link_that_leads_nowhere_is_not_replaced(site: Site, tmp_path: Path) -> None:
    (tmp_path / "songs").mkdir()
    (tmp_path / PLACE).symlink_to(tmp_path / "unmounted")
    assert "No such file" in failure(song(site.url + "/song.bin"), tmp_path)
    assert (tmp_path / PLACE).is_symlink()


def test_a_folder_that_cannot_be_made_is_one_line(site: Site, tmp_path: Path) -> None:
    put(tmp_path, "songs", b"a file")
    assert str(tmp_path) in failure(song(site.url + "/song.bin"), tmp_path)
    assert left(tmp_path) == {"songs": b"a file"}


def test_a_part_is_resumed_with_the_rest_only(site: Site, tmp_path: Path) -> None:
    put(tmp_path, PART, CONTENT[:HALF])
    get(song(site.says("/song.bin", ranged())), tmp_path)
    assert site.ranges == [f"bytes={HALF}-"]
    assert left(tmp_path) == {PLACE: CONTENT}


def test_a_server_that_ignores_the_range_is_read_from_the_start(site: Site, tmp_path: Path) -> None:
    put(tmp_path, PART, CONTENT[:HALF])
    get(song(site.says("/song.bin", whole())), tmp_path)
    assert site.ranges == [f"bytes={HALF}-"]
    assert left(tmp_path) == {PLACE: CONTENT}


def test_another_range_than_the_asked_one_is_not_appended(site: Site, tmp_path: Path) -> None:
    def off_by_one(handler: BaseHTTPRequestHandler) -> None:
        span = f"bytes {HALF - 1}-{len(CONTENT) - 1}/{len(CONTENT)}"
        send(handler, 206, CONTENT[HALF - 1 :], Content_Range=span)

    put(tmp_path, PART, CONTENT[:HALF])
    get(song(site.says("/song.bin", off_by_one, ranged())), tmp_path)
    assert site.ranges == [f"bytes={HALF}-", None]
    assert left(tmp_path) == {PLACE: CONTENT}


def test_a_part_that_is_complete_needs_no_more_bytes(site: Site, tmp_path: Path) -> None:
    put(tmp_path, PART, CONTENT)
    url = site.says("/song.bin", ranged())
    get(song(url), tmp_path)
    assert site.ranges == [f"bytes={len(CONTENT)}-"]  # answered by 416, bytes */size
    (tmp_path / PLACE).rename(tmp_path / PART)
    get(song(url, size=len(CONTENT)), tmp_path)
    assert len(site.asked) == 1
    assert left(tmp_path) == {PLACE: CONTENT}


def test_a_part_longer_than_the_file_is_begun_anew(site: Site, tmp_path: Path) -> None:
    put(tmp_path, PART, CONTENT + b"more")
    get(song(site.says("/song.bin", ranged()), size=len(CONTENT)), tmp_path)
    assert site.ranges == [f"bytes={len(CONTENT) + 4}-", None]
    assert left(tmp_path) == {PLACE: CONTENT}


def test_pieces_that_do_not_fit_are_downloaded_once_more(site: Site, tmp_path: Path) -> None:
    put(tmp_path, PART, b"another version".ljust(HALF))
    get(song(site.says("/song.bin", ranged())), tmp_path)
    assert site.ranges == [f"bytes={HALF}-", None]
    assert left(tmp_path) == {PLACE: CONTENT}


def test_a_file_without_checksum_is_never_put_together(site: Site, tmp_path: Path) -> None:
    put(tmp_path, PART, CONTENT[:HALF])
    url = site.says("/song.bin", ranged(until=HALF), ranged())
    get(song(url, content=None), tmp_path)
    assert site.ranges == [None, None]
    assert left(tmp_path) == {PLACE: CONTENT}


def test_a_connection_that_drops_half_way_is_resumed(site: Site, tmp_path: Path) -> None:
    get(song(site.says("/song.bin", ranged(until=HALF), ranged())), tmp_path)
    assert site.ranges == [None, f"bytes={HALF}-"]
    assert left(tmp_path) == {PLACE: CONTENT}


def test_a_server_that_sends_less_than_asked_for_is_asked_for_the_rest(
    site: Site, tmp_path: Path
) -> None:
    def third_quarter(handler: BaseHTTPRequestHandler) -> None:
        body = CONTENT[HALF : HALF + HALF // 2]
        span = f"bytes {HALF}-{HALF + len(body) - 1}/{len(CONTENT)}"
        send(handler, 206, body, Content_Range=span)

    put(tmp_path, PART, CONTENT[:HALF])
    get(song(site.says("/song.bin", third_quarter, ranged())), tmp_path)
    assert site.ranges == [f"bytes={HALF}-", f"bytes={HALF + HALF // 2}-"]
    assert left(tmp_path) == {PLACE: CONTENT}


def test_tries_start_anew_after_a_try_that_brought_much(site: Site, tmp_path: Path) -> None:
    content = CONTENT * 6
    steps = [ranged(content, until=end * len(content) // 5) for end in (1, 2, 3, 4)]
    url = site.says("/song.bin", *steps, ranged(content))
    get(song(url, content=content), tmp_path, pauses=(0.0,))
    assert len(site.asked) == 5
    assert left(tmp_path) == {PLACE: content}


def test_a_download_that_stays_short_leaves_its_part(site: Site, tmp_path: Path) -> None:
    url = site.says("/song.bin", ranged(until=HALF))
    line = failure(song(url), tmp_path)
    assert f"{url}: got {HALF:,} of {len(CONTENT):,} bytes (the connection ended)" in line
    assert f"fetching again resumes after {HALF:,} bytes" in line
    assert site.ranges == [None, f"bytes={HALF}-", f"bytes={HALF}-"]
    assert left(tmp_path) == {PART: CONTENT[:HALF]}

    site.says("/song.bin", ranged())
    assert get(song(url), tmp_path) == "downloaded"
    assert left(tmp_path) == {PLACE: CONTENT}


def test_a_short_download_without_checksum_leaves_nothing(site: Site, tmp_path: Path) -> None:
    line = failure(song(site.says("/song.bin", ranged(until=HALF)), content=None), tmp_path)
    assert f"got {HALF:,} of {len(CONTENT):,} bytes" in line and "resumes" not in line
    assert left(tmp_path) == {}


def test_a_body_that_ends_early_without_a_declared_length_is_short(
    site: Site, tmp_path: Path
) -> None:
    def unsized(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.end_headers()
        handler.wfile.write(CONTENT[:HALF])

    line = failure(song(site.says("/song.bin", unsized), size=len(CONTENT)), tmp_path)
    assert f"got {HALF:,} of {len(CONTENT):,} bytes" in line
    assert left(tmp_path) == {PART: CONTENT[:HALF]}


def test_a_server_that_falls_silent_is_left_after_the_timeout(site: Site, tmp_path: Path) -> None:
    line = failure(song(site.says("/song.bin", silent)), tmp_path, pauses=())
    assert f"of {len(CONTENT):,} bytes (timed out)" in line and "resumes" in line
    (kept,) = left(tmp_path).values()
    assert 0 < len(kept) <= HALF and CONTENT.startswith(kept)


def test_ctrl_c_leaves_the_part(site: Site, tmp_path: Path) -> None:
    def interrupt(done_bytes: int, total_bytes: int | None) -> None:
        if done_bytes:
            raise KeyboardInterrupt

    url = site.says("/song.bin", ranged(until=HALF), ranged())
    with pytest.raises(KeyboardInterrupt):
        get(song(url), tmp_path, report=interrupt)
    assert left(tmp_path) == {PART: CONTENT[:HALF]}


@pytest.mark.parametrize("size", [None, len(CONTENT)])
def test_a_wrong_checksum_leaves_nothing(size: int | None, site: Site, tmp_path: Path) -> None:
    wrong = CONTENT[:-1] + b"?"
    url = site.says("/song.bin", ranged(wrong))
    line = failure(song(url, size=size, note="recorded elsewhere"), tmp_path)
    assert f"{url}: sent a wrong file: sha256 is {hashlib.sha256(wrong).hexdigest()}" in line
    assert f"expected {hashlib.sha256(CONTENT).hexdigest()} (recorded elsewhere)" in line
    assert len(site.asked) == 1
    assert left(tmp_path) == {}


def test_a_resumed_wrong_file_is_tried_once_more_only(site: Site, tmp_path: Path) -> None:
    put(tmp_path, PART, CONTENT[:HALF])
    url = site.says("/song.bin", ranged(CONTENT[:-1] + b"?"))
    assert "sent a wrong file" in failure(song(url), tmp_path)
    assert site.ranges == [f"bytes={HALF}-", None]
    assert left(tmp_path) == {}


def test_a_wrong_file_that_was_not_put_together_is_not_tried_again(
    site: Site, tmp_path: Path
) -> None:
    put(tmp_path, PART, CONTENT[:HALF])
    url = site.says("/song.bin", whole(b"another"))
    assert "sent a wrong file" in failure(song(url), tmp_path)
    assert len(site.asked) == 1
    assert left(tmp_path) == {}


@pytest.mark.parametrize("code", [403, 404])
def test_a_refusal_is_not_tried_again_and_leaves_nothing(
    code: int, site: Site, tmp_path: Path
) -> None:
    put(tmp_path, PART, CONTENT[:HALF])
    url = site.says("/song.bin", status(code))
    assert f"{url}: HTTP {code}" in failure(song(url), tmp_path)
    assert len(site.asked) == 1
    assert left(tmp_path) == {}


@pytest.mark.parametrize("code", [500, 503, 429])
def test_a_server_in_trouble_is_tried_again(code: int, site: Site, tmp_path: Path) -> None:
    get(song(site.says("/song.bin", status(code), status(code), ranged())), tmp_path)
    assert len(site.asked) == 3
    assert left(tmp_path) == {PLACE: CONTENT}


def test_a_server_that_stays_in_trouble_leaves_nothing_new(site: Site, tmp_path: Path) -> None:
    url = site.says("/song.bin", status(503))
    line = failure(song(url), tmp_path)
    assert f"{url}: HTTP 503 Service Unavailable" in line and "resumes" not in line
    assert len(site.asked) == 3
    assert left(tmp_path) == {}
    put(tmp_path, PART, CONTENT[:HALF])
    assert "resumes" in failure(song(url), tmp_path)
    assert left(tmp_path) == {PART: CONTENT[:HALF]}


def test_the_pauses_are_those_given(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slept: list[float] = []
    monkeypatch.setattr("orchestrator.fetch.time.sleep", slept.append)
    said: list[str] = []
    url = site.says("/song.bin", status(503))
    failure(song(url), tmp_path, pauses=(1.0, 3.0, 9.0), waiting=said.append)
    assert slept == [1.0, 3.0, 9.0]
    answer = f"{url}: HTTP 503 Service Unavailable; again in"
    assert said == [f"{answer} 1 s", f"{answer} 3 s", f"{answer} 9 s"]


def test_where_nobody_listens_the_reason_is_said(site: Site, tmp_path: Path) -> None:
    with socket.socket() as free:  # bound, and not listening
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/song.bin"
        line = failure(song(url), tmp_path)
    assert line == f"song.bin was not downloaded: {url}: [Errno 111] Connection refused"
    assert left(tmp_path) == {}


def test_a_redirect_to_a_web_page_is_refused(site: Site, tmp_path: Path) -> None:
    page = site.says("/login", whole(HTML, Content_Type="text/html; charset=utf-8"))
    url = site.says("/song.bin", redirect(page))
    line = failure(song(url), tmp_path)
    assert f"{url}: sent a web page instead of the file (redirected to {page})" in line
    assert left(tmp_path) == {}


def test_a_redirect_to_the_file_is_followed(site: Site, tmp_path: Path) -> None:
    put(tmp_path, PART, CONTENT[:HALF])
    get(song(site.says("/song.bin", redirect(site.says("/there", ranged())))), tmp_path)
    assert site.asked[-1] == ("/there", f"bytes={HALF}-")
    assert left(tmp_path) == {PLACE: CONTENT}


def test_redirects_in_a_circle_are_refused(site: Site, tmp_path: Path) -> None:
    url = site.says("/song.bin", redirect("/song.bin"))
    assert "redirects" in failure(song(url), tmp_path)
    assert left(tmp_path) == {}


@pytest.mark.parametrize(
    ("kind", "page"),
    [
        ("text/html; charset=utf-8", b"Please log in"),
        ("application/octet-stream", HTML),
        ("application/octet-stream", b"\r\n<html>"),
    ],
)
@pytest.mark.parametrize("content", [CONTENT, None])
def test_a_web_page_under_the_name_of_the_file_is_refused(
    kind: str, page: bytes, content: bytes | None, site: Site, tmp_path: Path
) -> None:
    url = site.says("/song.bin", whole(page, Content_Type=kind))
    line = failure(song(url, content=content), tmp_path)
    assert f"{url}: sent a web page instead of the file" in line
    assert len(site.asked) == 1
    assert left(tmp_path) == {}


def test_an_endless_body_is_cut_off(site: Site, tmp_path: Path) -> None:
    url = site.says("/song.bin", endless)
    line = failure(song(url, size=3 * len(CONTENT)), tmp_path)
    assert f"{url}: sends more than the {3 * len(CONTENT):,} bytes expected" in line
    assert left(tmp_path) == {}


def test_another_size_than_published_is_refused_before_it_is_read(
    site: Site, tmp_path: Path
) -> None:
    url = site.says("/song.bin", whole())
    line = failure(song(url, size=5), tmp_path)
    assert f"{url}: declares {len(CONTENT):,} bytes, expected 5" in line
    assert left(tmp_path) == {}


def test_a_disk_that_fills_up_leaves_nothing(site: Site, tmp_path: Path) -> None:
    (tmp_path / "songs").mkdir()
    (tmp_path / PART).symlink_to("/dev/full")  # every write: ENOSPC
    line = failure(song(site.says("/song.bin", ranged())), tmp_path)
    assert "song.bin: no space left" in line and f"{len(CONTENT):,} needed" in line
    assert len(site.asked) == 1
    assert left(tmp_path) == {}


def test_too_little_space_is_noticed_before_writing(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = shutil.disk_usage(tmp_path)._replace(free=1000)
    monkeypatch.setattr("orchestrator.fetch.shutil.disk_usage", lambda path: free)
    put(tmp_path, PART, CONTENT[:HALF])
    line = failure(song(site.says("/song.bin", ranged())), tmp_path)
    assert f"1,000 bytes free, {len(CONTENT) - HALF:,} needed" in line
    assert left(tmp_path) == {}


def test_another_error_of_the_disk_is_one_line(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr("orchestrator.fetch.os.replace", fail)
    line = failure(song(site.says("/song.bin", ranged())), tmp_path)
    assert line == f"{tmp_path / PLACE}: Input/output error"
    assert left(tmp_path) == {}


def test_mirrors_are_asked_in_order_before_the_files_own_urls(site: Site, tmp_path: Path) -> None:
    own = site.says("/own/renamed", ranged())
    site.says("/one/song.bin", status(404))
    site.says("/two/song.bin", ranged())
    get(song(own), tmp_path, mirrors=[f"{site.url}/one/", f"{site.url}/two"])
    assert [path for path, _ in site.asked] == ["/one/song.bin", "/two/song.bin"]
    assert left(tmp_path) == {PLACE: CONTENT}


def test_what_one_url_began_another_completes(site: Site, tmp_path: Path) -> None:
    site.says("/mirror/song.bin", ranged(until=HALF))
    own = site.says("/song.bin", ranged())
    get(song(own), tmp_path, mirrors=[f"{site.url}/mirror"], pauses=())
    assert site.asked == [("/mirror/song.bin", None), ("/song.bin", f"bytes={HALF}-")]
    assert left(tmp_path) == {PLACE: CONTENT}


def test_a_wrong_file_of_one_url_is_not_resumed_from_another(site: Site, tmp_path: Path) -> None:
    site.says("/mirror/song.bin", whole(b"another"))
    own = site.says("/song.bin", ranged())
    get(song(own), tmp_path, mirrors=[f"{site.url}/mirror"])
    assert site.ranges == [None, None]
    assert left(tmp_path) == {PLACE: CONTENT}


def test_the_error_names_what_each_url_said(site: Site, tmp_path: Path) -> None:
    site.says("/mirror/song.bin", ranged(until=HALF))
    own = site.says("/song.bin", status(404))
    line = failure(song(own), tmp_path, mirrors=[f"{site.url}/mirror"])
    assert line.startswith(f"song.bin was not downloaded: {site.url}/mirror/song.bin: got ")
    assert f"; {own}: HTTP 404 Not Found; fetching again resumes" in line
    assert left(tmp_path) == {PART: CONTENT[:HALF]}


@pytest.mark.parametrize("mirror", ["ftp://127.0.0.1/data", "/mnt/data", "127.0.0.1/data"])
def test_an_address_of_another_kind_is_refused_at_once(
    mirror: str, site: Site, tmp_path: Path
) -> None:
    line = failure(song(site.url + "/song.bin"), tmp_path, mirrors=[mirror])
    assert line.startswith(f"{mirror}/song.bin: valid: ")
    assert site.asked == [] and left(tmp_path) == {}


@pytest.mark.parametrize(
    "url", ["http:///song.bin", "http://127.0.0.1:port/song.bin", "http://[::/song.bin"]
)
def test_an_address_that_names_no_server_is_refused(url: str, tmp_path: Path) -> None:
    assert f"{url}: " in failure(song(url), tmp_path)
    assert left(tmp_path) == {}


def test_gzip_content_is_not_decoded(site: Site, tmp_path: Path) -> None:
    packed = gzip.compress(CONTENT)
    headers = {"Content_Type": "application/x-gzip", "Content_Encoding": "gzip"}
    url = site.says("/song.gz", whole(packed, **headers))
    get(song(url, content=packed, name="song.gz", size=len(packed)), tmp_path)
    assert left(tmp_path) == {"songs/song.gz": packed}


def test_one_process_at_a_time_fetches_a_file(site: Site, tmp_path: Path) -> None:
    put(tmp_path, PART, CONTENT[:HALF])
    with open(tmp_path / PART, "ab") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        line = failure(song(site.says("/song.bin", ranged())), tmp_path)
        assert "another process is fetching it" in line
        assert left(tmp_path) == {PART: CONTENT[:HALF]}
    assert get(song(site.url + "/song.bin"), tmp_path) == "downloaded"


def test_a_part_that_another_process_just_finished_is_not_written_to(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def finished(*_: object) -> None:  # between opening the part and locking it
        (tmp_path / PART).rename(tmp_path / PLACE)

    put(tmp_path, PART, CONTENT)
    monkeypatch.setattr("orchestrator.fetch.fcntl.flock", finished)
    file = song(site.says("/song.bin", ranged()))
    assert "another process has just ended fetching it; fetch again" in failure(file, tmp_path)
    assert get(file, tmp_path) == "present"
    assert site.asked == []
    assert left(tmp_path) == {PLACE: CONTENT}


def test_a_file_system_without_locks_will_do(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_locks(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("orchestrator.fetch.fcntl.flock", no_locks)
    assert get(song(site.says("/song.bin", ranged())), tmp_path) == "downloaded"
    assert left(tmp_path) == {PLACE: CONTENT}


def test_digests_are_those_of_the_definitions(tmp_path: Path) -> None:
    put(tmp_path, "hello", b"hello\n")
    found = {
        algorithm: digest(tmp_path / "hello", Checksum(algorithm=algorithm, digest=""))
        for algorithm in ("sha256", "md5", "git-sha1")
    }
    assert found == {  # sha256sum, md5sum of coreutils 9.1; git hash-object of git 2.39.5
        "sha256": "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03",
        "md5": "b1946ac92492d2347c6235b4d2611184",
        "git-sha1": "ce013625030ba8dba906f756967f9e9ca394464a",
    }


def test_the_digest_of_more_than_one_block_is_that_of_the_whole(tmp_path: Path) -> None:
    content = CONTENT * 3
    put(tmp_path, "long", content)
    git = hashlib.sha1(f"blob {len(content)}\0".encode() + content).hexdigest()
    verify(
        tmp_path / "long",
        OriginalFile(
            folder="",
            name="long",
            urls=(),
            checksum=Checksum(algorithm="git-sha1", digest=git),
            size_bytes=len(content),
        ),
    )


def test_an_error_of_fetching_is_the_users_to_mend() -> None:
    assert issubclass(FetchError, InputError)
