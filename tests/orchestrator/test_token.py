"""Submitting to a cluster that asks for Ray's token: a real head, on ports of its own."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from orchestrator.errors import InputError
from orchestrator.token_source import offer_token, prepare_token
from results import load

ROOT = Path(__file__).resolve().parents[2]
TOKEN = "open-sesame-2e9f41"
HEAD = """
import sys
from ray.cluster_utils import Cluster

head = Cluster(
    initialize_head=True,
    head_node_args={
        "num_cpus": 2,
        "include_dashboard": True,
        "dashboard_port": 0,
        "dashboard_agent_listen_port": 0,  # as other heads of this machine may have the usual one
        "object_store_memory": 100 * 2**20,
        "temp_dir": sys.argv[1],
    },
).head_node
print(f"http://{head.webui_url} {head.address}", flush=True)
sys.stdin.read()
"""


class Head(NamedTuple):
    address: str  # of its dashboard
    gcs_address: str
    temporary: Path


def surroundings(home: Path, **more: str) -> dict[str, str]:
    """An environment without a word about tokens, and with a home that has none."""
    mine = {name: value for name, value in os.environ.items() if "AUTH" not in name}
    return {**mine, "HOME": str(home), "PYTHONPATH": str(ROOT), **more}


@pytest.fixture(autouse=True)
def no_token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In this process; what a test sets is taken back."""
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)


@pytest.fixture(scope="module")
def head(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Head]:
    home = tmp_path_factory.mktemp("head")
    (home / "token").write_text(TOKEN)
    environment = surroundings(home, RAY_AUTH_MODE="token", RAY_AUTH_TOKEN_PATH=str(home / "token"))
    # Not under pytest's own folder: the paths of Ray's sockets may have 107 characters.
    with tempfile.TemporaryDirectory(prefix="lg-", ignore_cleanup_errors=True) as temporary:
        process = subprocess.Popen(
            [sys.executable, "-c", HEAD, temporary],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdin is not None and process.stdout is not None
        with process:
            yield Head(*process.stdout.readline().split(), Path(temporary))
            process.kill()  # Ray's own reaper ends the rest


Submit = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def submit(head: Head, tmp_path: Path, tiny_grid: Any) -> Submit:
    tiny_grid()
    home = tmp_path / "home"
    home.mkdir()

    def run(**more: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "orchestrator", "submit", str(tmp_path / "tiny.yaml")]
        command += ["--address", head.address, "--out", str(tmp_path / "out")]
        environment = surroundings(home, **more)
        return subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True
        )

    return run


def one_line(done: subprocess.CompletedProcess[str]) -> str:
    assert done.returncode == 2, done.stderr
    [line] = done.stderr.splitlines()
    return line


@pytest.mark.ray
def test_without_a_token_or_with_a_wrong_one_one_line_says_so(submit: Submit, head: Head) -> None:
    places = "valid: RAY_AUTH_TOKEN, or a file: RAY_AUTH_TOKEN_PATH, ~/.ray/auth_token"
    without = one_line(submit())
    assert without == f"latentgrid: {head.address} asks for a token, and none was sent; {places}"
    wrong = one_line(submit(RAY_AUTH_TOKEN="open-barley-77aa"))
    assert wrong == f"latentgrid: {head.address} refuses the token of RAY_AUTH_TOKEN; {places}"


@pytest.mark.ray
def test_a_run_that_finds_no_token_is_one_line(tiny_grid: Any, tmp_path: Path) -> None:
    tiny_grid()
    command = [sys.executable, "-m", "orchestrator", "run", "tiny.yaml", "--out", "out"]
    done = subprocess.run(
        command,
        cwd=tmp_path,
        env=surroundings(tmp_path, RAY_AUTH_MODE="token", RAY_AUTH_TOKEN_PATH="none"),
        capture_output=True,
        text=True,
    )
    assert "token" in one_line(done)


@pytest.mark.ray
@pytest.mark.parametrize(
    "place",
    [
        pytest.param("RAY_AUTH_TOKEN_PATH", marks=pytest.mark.slow),
        pytest.param("RAY_AUTH_TOKEN", marks=pytest.mark.slow),
        pytest.param("~/.ray/auth_token", marks=pytest.mark.slow),
    ],
)
def test_with_the_token_the_study_runs_and_nothing_that_is_left_has_the_token(
    place: str, submit: Submit, head: Head, tmp_path: Path
) -> None:
    file = tmp_path / "home" / ".ray" / "auth_token"
    if place != "RAY_AUTH_TOKEN":
        file.parent.mkdir()
        file.write_text(TOKEN)
    value = {"RAY_AUTH_TOKEN_PATH": str(file), "RAY_AUTH_TOKEN": TOKEN}
    done = submit(**{name: value[name] for name in value if name == place})
    assert done.returncode == 0, done.stdout + done.stderr
    again = f"`RAY_AUTH_MODE=token ray job logs -f latentgrid-tiny --address {head.address}`"
    assert f"{again} follows again" in " ".join(done.stderr.split())
    frames = load(tmp_path / "out" / "tiny")
    assert set(frames.trials["status"]) == {"completed"} and len(frames.trials) == 2
    secret = TOKEN.encode()
    assert TOKEN not in done.stdout + done.stderr
    left = [*head.temporary.rglob("*"), *(tmp_path / "out").rglob("*")]
    written = [path for path in left if path.is_file() and not path.is_symlink()]
    assert any("job-driver-latentgrid-tiny" in path.name for path in written)  # Ray's logs, too
    assert [path for path in written if secret in path.read_bytes()] == []
    # The head and its workers are running: their command lines are read as anybody's `ps` reads.
    assert [path for path in Path("/proc").glob("[0-9]*/cmdline") if secret in command(path)] == []


@pytest.mark.ray
@pytest.mark.slow
@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": TOKEN}, 0),
        ({"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": "open-barley-77aa"}, 2),
        ({"RAY_AUTH_TOKEN": TOKEN}, 2),
    ],
    ids=["right", "wrong", "without the mode"],
)
def test_a_run_on_a_cluster_that_asks_for_a_token_says_what_it_takes(
    more: dict[str, str], code: int, head: Head, tiny_grid: Any, tmp_path: Path
) -> None:
    tiny_grid()
    line = [sys.executable, "-m", "orchestrator", "run", "tiny.yaml", "--out", "out"]
    done = subprocess.run(
        [*line, "--address", head.gcs_address],
        cwd=tmp_path,
        env=surroundings(tmp_path, **more),
        capture_output=True,
        text=True,
    )
    assert done.returncode == code, done.stderr
    if code:
        last = done.stderr.splitlines()[-1]
        assert "asks for a token: RAY_AUTH_MODE=token, and RAY_AUTH_TOKEN, or a file" in last
    assert TOKEN not in done.stdout + done.stderr


def command(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:  # the process has ended
        return b""


@pytest.mark.parametrize("holds", [None, "", "\nsecond"], ids=["absent", "empty", "first line"])
def test_a_token_path_without_a_token_is_refused_before_anything_is_asked(
    holds: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "token"
    if holds is not None:
        path.write_text(holds)
    monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", str(path))
    with pytest.raises(InputError, match=f"RAY_AUTH_TOKEN_PATH: {path}: no token is there"):
        offer_token()


def test_token_mode_without_a_token_is_refused_and_disabled_sends_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("RAY_AUTH_MODE", "token")
    with pytest.raises(InputError, match="RAY_AUTH_MODE=token, and no token is here; valid: RAY"):
        offer_token()
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    monkeypatch.setenv("RAY_AUTH_TOKEN", TOKEN)
    assert offer_token() is None
    monkeypatch.delenv("RAY_AUTH_MODE")
    assert offer_token() == "RAY_AUTH_TOKEN" and os.environ["RAY_AUTH_MODE"] == "token"


@pytest.mark.parametrize("inside", ["\n", " ", "\r\n", "é", "\udcff"])
def test_a_token_that_no_header_can_hold_is_refused_and_not_shown(
    inside: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(look: Callable[[], object]) -> None:
        with pytest.raises(InputError, match="one word") as refusal:
            look()
        assert TOKEN not in str(refusal.value)

    monkeypatch.setenv("RAY_AUTH_TOKEN", f"{TOKEN}{inside}x")
    for look in (offer_token, lambda: prepare_token("local"), lambda: prepare_token("auto")):
        monkeypatch.delenv("RAY_AUTH_MODE", raising=False)
        refused(look)
    monkeypatch.delenv("RAY_AUTH_TOKEN")
    file = tmp_path / "token"
    file.write_bytes(os.fsencode(f"{TOKEN}{inside}x"))
    monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", str(file))
    if "\n" in inside:
        assert offer_token() == str(file)  # Ray takes the first line
    else:
        refused(offer_token)
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    assert offer_token() is None


@pytest.mark.parametrize("empty", ["", " \n", "\nsecond\n"])
def test_a_file_whose_first_line_is_empty_holds_no_token(empty: str, tmp_path: Path) -> None:
    file = tmp_path / ".ray" / "auth_token"
    file.parent.mkdir()
    file.write_text(empty)
    assert offer_token() is None
    del os.environ["RAY_AUTH_MODE"]
    prepare_token("local")
    assert len(file.read_text()) == 64


def test_blanks_around_a_token_are_left_to_ray(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_AUTH_TOKEN", f" {TOKEN}\n")
    assert offer_token() == "RAY_AUTH_TOKEN"


def test_a_cluster_of_our_own_has_a_token_which_its_owner_alone_can_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare_token("127.0.0.1:6379")
    assert "RAY_AUTH_MODE" not in os.environ and not list(tmp_path.iterdir())
    prepare_token("local")
    file = tmp_path / ".ray" / "auth_token"
    made = file.read_text()
    assert len(made) == 64 and stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [path.name for path in file.parent.iterdir()] == ["auth_token"]
    prepare_token("local")
    assert file.read_text() == made and os.environ["RAY_AUTH_MODE"] == "token"
