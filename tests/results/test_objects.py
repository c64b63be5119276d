"""A study in an object store, against a real S3 server on loopback."""

from __future__ import annotations

import pickle
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pyarrow.fs
import pyarrow.parquet as pq
import pytest
from obstore.store import LocalStore

from results import files, lease, load, objects
from results.files import location
from results.lease import Fenced, LeaseHeld
from results.objects import ObjectPath
from results.store import StudyFolder, studies_in
from results.tables import Tables, compact
from tests.object_store import Proxy


@pytest.fixture
def place(bucket: str) -> ObjectPath:
    found = location(f"{bucket}/runs")
    assert isinstance(found, ObjectPath)
    return found


@pytest.fixture
def folder(place: ObjectPath) -> StudyFolder:
    return StudyFolder(place / "study")


def nothing() -> None:
    pass


@pytest.mark.parametrize(
    ("url", "key", "name"),
    [
        ("s3://bucket", "", ""),
        ("s3://bucket/", "", ""),
        ("s3://bucket/runs/", "runs", "runs"),
        ("gs://bucket/a/b.c", "a/b.c", "b.c"),
    ],
)
def test_a_url_is_a_path(url: str, key: str, name: str) -> None:
    path = ObjectPath.parse(url)
    assert path is not None and (path.key, path.name) == (key, name)
    assert location(str(path / "x")) == path / "x"
    assert (path / "x").parent == path and (path / "x").with_name("y") == path / "y"
    assert pickle.loads(pickle.dumps(path)) == path


@pytest.mark.parametrize("url", ["s3://bucket/a//b", "s3://bucket/../a", "s3://bucket/./a"])
def test_a_url_that_could_escape_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="valid: names between single slashes"):
        location(url)


@pytest.mark.parametrize("url", ["hdfs://name/runs", "S3://bucket/runs", "abfss://c@a/runs"])
def test_a_url_that_is_not_known_is_no_folder(url: str) -> None:
    with pytest.raises(ValueError, match="valid: s3://, gs://, az://"):
        location(url)


def test_stores_that_tell_of_absent_objects_are_as_those_that_do_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Google's and Azure's do, as a folder does."""
    store = LocalStore(tmp_path)
    monkeypatch.setattr(objects, "_store", lambda *settings: store)
    place = ObjectPath("gs://bucket", "runs")
    there, absent, also = place / "a", place / "b", place / "c"
    there.create(b"")
    also.create(b"")
    absent.unlink(missing_ok=True)
    with pytest.raises(FileNotFoundError):
        absent.unlink()
    assert files.remove([there, absent, also]) == 3
    assert place.below() == []


def test_what_is_no_url_is_a_path_of_this_machine() -> None:
    assert not isinstance(location("runs/s3"), ObjectPath)
    assert not files.is_url("runs/s3") and files.is_url("az://container/runs")


def test_objects_are_read_listed_and_deleted(place: ObjectPath) -> None:
    assert not place.is_dir() and files.names(place) == [] and files.identity(place / "a") is None
    with pytest.raises(FileNotFoundError, match="runs/a"):
        (place / "a").read_bytes()
    files.atomic_write(place / "a", b"one")
    files.atomic_write(place / "below" / "b", b"two")
    files.atomic_write(place / ".hidden", b"")
    assert place.is_dir() and (place / "a").exists() and not (place / "below").exists()
    assert (place / "a").read_text() == "one"
    assert sorted(files.names(place)) == ["a", "below"]
    assert files.names_below(place) == ["a", "below/b"]
    with files.reading(place / "below" / "b") as file:
        assert file.read() == b"two"
    (place / "a").unlink()
    (place / "a").unlink(missing_ok=True)
    files.remove_folder(place)
    files.remove_folder(place)
    assert files.names_below(place) == []


def test_an_objects_identity_changes_whenever_its_content_does(place: ObjectPath) -> None:
    path = place / "a"
    files.atomic_write(path, b"one")
    first = files.identity(path)
    assert first is not None and first == files.identity(path)
    files.atomic_write(path, b"two")
    assert files.identity(path) not in (None, first)


def test_of_many_that_create_an_object_one_wins(place: ObjectPath) -> None:
    won: list[int] = []

    def create(number: int) -> None:
        try:
            files.create(place / "claim", str(number).encode())
            won.append(number)
        except FileExistsError:
            pass

    threads = [threading.Thread(target=create, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1 and (place / "claim").read_bytes() == str(won[0]).encode()


def test_an_object_that_changed_after_the_check_is_checked_again(place: ObjectPath) -> None:
    """A writer that is held up between its fence and its PUT must not bury its successor's."""
    path = place / "table"
    files.atomic_write(path, b"old")
    checks: list[int] = []

    def check() -> None:
        checks.append(1)
        if len(checks) > 1:
            raise Fenced("taken over")
        path.replace(b"the successor's", nothing)

    with pytest.raises(Fenced):
        path.replace(b"the old writer's", check)
    assert path.read_bytes() == b"the successor's" and len(checks) == 2


def test_a_new_object_that_somebody_else_made_after_the_check_is_not_buried(
    place: ObjectPath,
) -> None:
    path = place / "new"
    checks: list[int] = []

    def check() -> None:
        checks.append(1)
        if len(checks) == 1:
            path.create(b"theirs")

    path.replace(b"ours", check)
    assert path.read_bytes() == b"ours" and len(checks) == 2


@pytest.mark.parametrize("fault", ["down", "error", "half", "lost", "slow"])
def test_what_the_network_does_to_a_few_requests_is_tried_again(
    place: ObjectPath, proxy: Proxy, fault: str
) -> None:
    content = bytes(range(256)) * 4000
    proxy.suffer(fault, times=2)
    files.atomic_write(place / "a", content)
    proxy.suffer(fault, times=2)
    assert (place / "a").read_bytes() == content
    proxy.suffer(fault, times=2)
    assert files.names(place) == ["a"]
    proxy.suffer(fault, times=2)
    files.atomic_write(place / "a", b"second")
    assert (place / "a").read_bytes() == b"second"


@pytest.mark.parametrize("fault", ["down", "lost", None])
def test_a_place_that_can_be_written_costs_four_requests_and_keeps_nothing(
    place: ObjectPath, proxy: Proxy, fault: str | None
) -> None:
    proxy.suffer(fault, times=1)
    files.check_writable(place)
    assert [method for method, _ in proxy.seen[-4:]] == ["PUT", "PUT", "PUT", "POST"]
    assert len(proxy.seen) == 4 + (fault is not None) and place.below() == []


@pytest.mark.parametrize("header", ["If-None-Match", "If-Match"])
def test_a_store_that_ignores_conditions_is_refused(
    place: ObjectPath, proxy: Proxy, header: str
) -> None:
    proxy.suffer(header.lower())
    with pytest.raises(OSError, match=f"the store ignores {header}, which keeps two runs"):
        files.check_writable(place)
    assert place.below() == []


def test_a_large_object_may_take_longer_than_an_answer(
    place: ObjectPath, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The client counts from the first byte that it sends."""
    monkeypatch.setattr(objects, "ANSWER_SECONDS", 1)
    monkeypatch.setattr(objects, "RETRY_SECONDS", 0.0)
    objects._store.cache_clear()
    proxy.delay_seconds = 2
    proxy.suffer("slow")
    (place / "large").create(bytes(4 * 2**20))
    assert len(proxy.seen) == 1
    with pytest.raises(OSError):
        (place / "small").read_bytes()


def test_a_claim_whose_answer_was_lost_is_ones_own(folder: StudyFolder, proxy: Proxy) -> None:
    newest = lease.newest_epoch(folder)
    proxy.suffer("lost", times=1)
    files.create(folder.lease_dir / f"{newest + 1:06d}.json", b"{}")
    with pytest.raises(FileExistsError):
        files.create(folder.lease_dir / f"{newest + 1:06d}.json", b"{ }")


def test_a_store_that_stays_away_is_an_error_of_one_line(
    place: ObjectPath, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(objects, "RETRY_SECONDS", 1.0)
    objects._store.cache_clear()
    monkeypatch.setattr(objects, "FIRST_SECONDS", 0.5)
    proxy.suffer("error")
    with pytest.raises(OSError, match="500"):
        place.reach()
    with pytest.raises(OSError, match="500") as raised:
        files.atomic_write(place / "a", b"data")
    assert "\n" not in str(raised.value) and str(place / "a") in str(raised.value)


@pytest.mark.parametrize("fault", ["down", "error"])
def test_a_process_that_is_to_end_gives_up_soon_on_a_store_that_is_away(
    place: ObjectPath, proxy: Proxy, fault: str
) -> None:
    proxy.suffer(fault)
    ended: list[float] = []

    def write() -> None:
        with pytest.raises(OSError):
            files.atomic_write(place / "a", b"data")
        ended.append(time.monotonic())

    waiting = threading.Thread(target=write)
    waiting.start()
    time.sleep(0.2)
    try:
        objects.hurry(0.0)
        told = time.monotonic()
        waiting.join()
        assert ended[0] - told < objects.TRY_SECONDS + 3
        write()  # without another try
        assert ended[1] - ended[0] < 1
        proxy.suffer(None)
        files.atomic_write(place / "a", b"data")
        assert (place / "a").read_bytes() == b"data"
    finally:
        objects.hurry(None)


def test_two_drivers_of_one_study_and_the_elder_stops(folder: StudyFolder) -> None:
    first = lease.acquire(folder)
    with pytest.raises(LeaseHeld, match="is being run by"), lease.Beating(first):
        lease.acquire(folder, interval_seconds=1.0)
    second = lease.acquire(folder)
    assert (first.epoch, second.epoch) == (1, 2)
    with pytest.raises(Fenced):
        first.folder.write(folder.manifest, b"{}")
    second.folder.write(folder.manifest, b"{}")
    assert [found.name for found in studies_in(folder.out)] == ["study"]


def test_tables_are_published_and_compacted(
    folder: StudyFolder, finish: Callable[..., str]
) -> None:
    held = lease.acquire(folder)
    for trial_id in ("a", "b"):
        finish(held.folder, trial_id)
    tables = Tables(held.folder)
    tables.refresh()
    tables.publish()
    finish(held.folder, "c")
    before = load(str(folder.root))
    assert sorted(before.trials["trial_id"]) == ["a", "b", "c"] and len(before.curves) == 9
    assert compact(held.folder) > 0
    after = load(folder.root)
    assert after.trials.equals(before.trials) and after.scores.equals(before.scores)
    assert files.names(folder.rows_dir("trials")) == []


def test_published_tables_are_read_without_latentgrid(
    folder: StudyFolder, finish: Callable[..., str], s3_port: int
) -> None:
    held = lease.acquire(folder)
    finish(held.folder, "a")
    tables = Tables(held.folder)
    tables.refresh()
    tables.publish()
    store = pyarrow.fs.S3FileSystem(endpoint_override=f"http://127.0.0.1:{s3_port}")
    path = str(folder.table("trials")).removeprefix("s3://")
    assert pq.read_table(path, filesystem=store)["trial_id"].to_pylist() == ["a"]


def test_the_state_of_many_trials_is_a_listing_and_no_call_a_file(
    folder: StudyFolder, proxy: Proxy
) -> None:
    """1,200 names come in pages of 1,000."""
    for number in range(1200):
        path = folder.record("trials", f"{number:06d}.completed.000001-a")
        assert isinstance(path, ObjectPath)
        path.create(b"{}")
    proxy.seen.clear()
    assert len(folder.outcomes()) == 1200
    listings = [path for method, path in proxy.seen if method == "GET" and "list-type=2" in path]
    assert len(listings) == 2 and len(proxy.seen) <= 5


def test_what_is_published_is_not_read_record_by_record(
    folder: StudyFolder, finish: Callable[..., str], proxy: Proxy
) -> None:
    held = lease.acquire(folder)
    for number in range(5):
        finish(held.folder, f"trial{number}")
    tables = Tables(held.folder)
    tables.refresh()
    tables.publish(everything=True)
    proxy.seen.clear()
    again = load(folder.root)
    assert len(again.trials) == 5
    read = [path for method, path in proxy.seen if method == "GET" and "/_rows/" in path]
    assert [path for path in read if "list-type" not in path] == []
