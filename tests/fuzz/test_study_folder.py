"""Whatever lies in a study's folder, commands end with a code and a line, and write where they may.

One file of a small study is damaged, or replaced by a link, a pipe or a folder.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestrator.dashboard.study import WatchedStudy
from orchestrator.dashboard.trial import trial_view
from results.store import StudyFolder
from tests.fuzz.study import make_study
from tests.fuzz.test_targets import TOKENS
from tests.orchestrator.conftest import command

WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
CHANGES = {"os.remove", "os.rename", "os.mkdir", "os.rmdir", "os.link", "os.symlink", "os.truncate"}
OF_LINKS = {"os.remove", "os.rename"}
_allowed: list[Path] = []
_outside: list[str] = []


def _watch(event: str, arguments: tuple[object, ...]) -> None:
    """Python tells of every file that it opens or changes; what is outside is written down."""
    if not _allowed:
        return
    if event == "open":
        path, _, flags = arguments
        paths = [path] if isinstance(flags, int) and flags & WRITES else []
    elif event in CHANGES:
        paths = [path for path in arguments[:2] if isinstance(path, str | bytes | os.PathLike)]
    else:
        return
    for path in paths:
        if isinstance(path, str | bytes | os.PathLike):
            # A link that is removed or moved is itself what changes, and not where it leads.
            whole = Path(os.fsdecode(path))
            place = Path(os.path.realpath(whole.parent if event in OF_LINKS else whole))
            if not any(place.is_relative_to(root) for root in _allowed):
                _outside.append(f"{event} {place}")


sys.addaudithook(_watch)


@contextmanager
def writing_only(*roots: Path) -> Iterator[None]:
    """AssertionError for what is written, moved or removed anywhere else."""
    _outside.clear()
    _allowed.extend([*(Path(os.path.realpath(root)) for root in roots), Path("/dev/null")])
    try:
        yield
    finally:
        _allowed.clear()
    assert not _outside


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> StudyFolder:
    return make_study(tmp_path_factory.mktemp("made"))


def commands(study: Path, out: Path) -> Sequence[tuple[object, ...]]:
    trial_id = next(study.glob("models/*")).stem if (study / "models").is_dir() else "x"
    return [
        ("status", study),
        ("status", study, "--json"),
        ("export", study, "--csv", out / "csv", "--tensorboard", out / "events"),
        ("traversals", study, trial_id, "--out", out / "t.png"),
        ("report", study, "--out", out / "report"),
        ("compact", study),
    ]


def watch(study: StudyFolder) -> None:
    watched = WatchedStudy(study)
    watched.refresh()
    if watched.snapshot is not None:
        for index in range(len(watched.snapshot.cells.trial_ids)):
            trial_view(watched.snapshot, study, index)


@st.composite
def damage(draw: st.DrawFn, files: Sequence[Path]) -> tuple[Path, str | bytes]:
    """A file, and what becomes of it: other bytes, or another kind of thing."""
    file = draw(st.sampled_from(files))
    kind = draw(st.sampled_from(["bytes", "bytes", "bytes", "link", "pipe", "folder", "empty"]))
    if kind != "bytes":
        return file, kind
    content = bytearray(file.read_bytes())
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, max(0, len(content) - 1)))
        content[at : at + draw(st.integers(0, 8))] = draw(
            st.one_of(st.sampled_from(TOKENS), st.binary(max_size=3))
        )
    return file, bytes(content)


def spoil(path: Path, how: str | bytes, secret: Path) -> None:
    path.unlink()
    if isinstance(how, bytes) or how == "empty":
        path.write_bytes(how if isinstance(how, bytes) else b"")
    elif how == "link":
        path.symlink_to(secret)
    elif how == "pipe":
        os.mkfifo(path)
    else:
        path.mkdir()


def check(made: StudyFolder, examples: int, which: slice) -> None:
    # Tables and records are the likelier to be read wrong; weights only when a trial is encoded.
    files = [path for path in sorted(made.root.rglob("*")) if path.is_file()]

    @settings(
        max_examples=examples,
        database=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.large_base_example],
    )
    @given(damage(files))
    def ends_well(damaged: tuple[Path, str | bytes]) -> None:
        file, how = damaged
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder)
            secret = root / "secret"
            secret.write_text("precious")
            study = root / "runs" / "small"
            shutil.copytree(made.root, study)
            spoil(study / file.relative_to(made.root), how, secret)
            out = root / "out"
            out.mkdir()
            for arguments in commands(study, out)[which]:
                with writing_only(study, out):
                    done = command(*arguments)
                assert done.returncode in (0, 1, 2), done.stderr
                assert len(done.stderr.splitlines()) <= 6, done.stderr
                assert "Traceback" not in done.stderr and "precious" not in done.stdout
                assert secret.read_text() == "precious"
            with writing_only():
                watch(StudyFolder(study))

    ends_well()


def test_the_watch_sees_what_is_written_elsewhere(tmp_path: Path) -> None:
    with pytest.raises(AssertionError), writing_only(tmp_path / "here"):
        (tmp_path / "there").write_text("x")
    (tmp_path / "here").mkdir()
    with writing_only(tmp_path / "here"):
        (tmp_path / "here" / "x").write_text("x")
        (tmp_path / "there").read_text()


def test_a_few_damaged_studies(made: StudyFolder) -> None:
    check(made, 8, slice(0, 2))


@pytest.mark.slow
def test_many_damaged_studies(made: StudyFolder) -> None:
    check(made, 400, slice(None))
