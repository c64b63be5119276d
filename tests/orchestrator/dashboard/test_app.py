"""What the dashboard answers, asked over HTTP."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import threading
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from aiohttp.test_utils import TestClient, TestServer

from grids.load import load_grid
from orchestrator import manifest
from orchestrator.dashboard import app, watching
from orchestrator.dashboard.app import make_app
from orchestrator.dashboard.guard import is_loopback
from orchestrator.dashboard.study import WatchedStudy
from results.schema import DISTANCES
from results.store import StudyFolder
from results.tables import Tables

STUDY, STEPS = "/study/five/", 60


def test_the_studies_of_a_folder_are_listed_the_unreadable_with_what_is_wrong(
    five: Any, ask: Any
) -> None:
    newer = five.folder.out / "newer"
    newer.mkdir()
    (newer / "manifest.json").write_text("{}")
    (five.folder.out / "no study").mkdir()
    page, broken, study = ask(five.folder.out, "/", "/study/newer/", STUDY)
    assert page.status == 200 and 'href="study/five/"' in page.text
    assert "2 of 5" in page.text and "being run" in page.text and "no study" not in page.text
    assert "study.yaml" in page.text  # which `newer` does not have
    assert broken.status == 503 and "study.yaml" in broken.text
    assert study.status == 200


def test_an_empty_folder_says_what_to_do(tmp_path: Path, ask: Any) -> None:
    [page] = ask(tmp_path, "/")
    assert page.status == 200 and "latentgrid run" in page.text


def test_a_study_by_itself_is_the_first_page(five: Any, ask: Any) -> None:
    first, page = ask(five.folder.root, "/", STUDY)
    assert first.status == 302 and first.headers["Location"].endswith("study/five/")
    assert page.status == 200
    for name in ("done", "time left", "CPU hours used", "wasted", "left"):
        assert f"<dt>{name}</dt>" in page.text


def test_the_grid_is_columns_of_one_length(five: Any, ask: Any) -> None:
    grid, state, scores = ask(
        five.folder.out,
        f"{STUDY}grid.json",
        f"{STUDY}state.json",
        f"{STUDY}scores.json?metric=mig&score=mig&representation=mean&size=full&at=last",
    )
    assert grid.json["trials"] == list(five.ids.values())
    [seed] = grid.json["parameters"]
    assert seed == {"name": "seed", "values": [0, 1, 2, 3, 4], "codes": [0, 1, 2, 3, 4]}
    assert state.json["states"] == "cdfrw"
    assert scores.json == {"values": [0.5, None, None, None, None], "higher_is_better": True}


def test_curves_of_chosen_trials(five: Any, ask: Any) -> None:
    several, one = ask(
        five.folder.out,
        f"{STUDY}curves.json?trials=3,0,99,-1,x",
        f"{STUDY}trial/{five.ids['completed']}/curve.json",
    )
    assert {trial: curve["step"] for trial, curve in several.json.items()} == {
        five.ids["running"]: [10, 20, 30],
        five.ids["completed"]: [10, 20, 30, 40, 50, 60],
    }
    assert one.json["terms"]["kl_nats"] == [2.0, 3.0, 4.0, 5.0, 6.0, 7.0]
    assert one.json["scores"]["mig"]["value"] == [0.125, 0.5]


def test_a_diverged_trial_has_null_where_its_curve_is_no_number(five: Any, ask: Any) -> None:
    diverged = five.ids["diverged"]
    five.score(diverged, 20, float("nan"))
    five.score(diverged, STEPS, 0.5)
    several, one, scores = ask(
        five.folder.out,
        f"{STUDY}curves.json?trials=1",
        f"{STUDY}trial/{diverged}/curve.json",
        f"{STUDY}scores.json?metric=mig&score=mig&representation=mean&size=full&at=best",
    )
    for answer in (several, one, scores):
        assert answer.status == 200
        # As a browser reads it: JSON has neither NaN nor Infinity, which Python would take.
        json.loads(answer.text, parse_constant=pytest.fail)
    assert several.json[diverged]["loss"][-2:] == [20.0, None]
    terms = one.json["terms"]
    assert terms["reconstruction_per_image"][-2:] == [18.0, None]
    assert terms["kl_nats_by_latent"] == [[1.5] * 6, [0.5, 1.5, 2.5, 3.5, 4.5, None]]
    assert one.json["scores"]["mig"] == {"step": [20, STEPS], "value": [None, 0.5]}


def test_what_is_no_json_is_never_sent() -> None:
    with pytest.raises(ValueError, match="JSON"):
        asyncio.run(app._dumped(lambda: {"loss": float("nan")}))


@pytest.mark.parametrize("published", [False, True])
def test_in_a_folder_that_is_being_copied_the_file_is_named_and_the_rest_is_shown(
    five: Any, ask: Any, tmp_path: Path, published: bool
) -> None:
    if published:
        tables = Tables(five.folder)
        tables.refresh()
        tables.publish(everything=True)
    root = five.folder.root
    files = [p.relative_to(root) for p in root.rglob("*.*") if p.suffix in (".json", ".parquet")]
    files = [p for p in files if p.parts[0] != "lease" and p.name != "manifest.json"]
    assert len(files) == 16 + 4 * published
    for number, file in enumerate(sorted(files)):
        out = tmp_path / str(number)
        shutil.copytree(root, out / "five")
        copied = out / "five" / file
        copied.write_bytes(copied.read_bytes()[: copied.stat().st_size // 2])
        trials = [
            f"{STUDY}trial/{trial}/{what}"
            for trial in five.ids.values()
            for what in ("", "curve.json")
        ]
        paths = ["/", STUDY, f"{STUDY}state.json", f"{STUDY}curves.json?trials=0,1,2,3", *trials]
        answers = ask(out, *paths, "/metrics")
        assert {answer.status for answer in answers} == {200}, file
        named = [answer for answer in answers if file.name in answer.text]
        states = answers[2].json["states"]
        # What a table holds is not read from the files that it was made of.
        held = "trials" in file.parts or "scores" in file.parts or ".close." in file.name
        if published and held:
            assert states == "cdfrw", file
        else:
            assert named, file
        assert sum(a != b for a, b in zip(states, "cdfrw", strict=True)) <= 1, file


def test_what_has_not_changed_is_not_sent_again(five: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "PAUSE_SECONDS", 0.0)
    monkeypatch.setattr(watching, "OLDEST_SECONDS", 0.0)  # each answer waits for what is new
    monkeypatch.setattr(watching, "SHARE", 1.0)

    async def ask_again() -> None:
        paths = [f"{STUDY}{part}" for part in ("", "grid.json", "state.json")]
        paths.append(f"{STUDY}trial/{five.ids['waiting']}/")
        async with TestClient(TestServer(make_app(five.folder.out))) as client:
            tags = [(await client.get(path)).headers["ETag"] for path in paths]

            async def asked(path: str, tag: str) -> int:
                return (await client.get(path, headers={"If-None-Match": tag})).status

            known = list(zip(paths, tags, strict=True))
            assert [await asked(*pair) for pair in known] == [304, 304, 304, 304]
            five.end(five.ids["waiting"], "completed")
            assert [await asked(*pair) for pair in known] == [200, 304, 200, 200]
            states = (await (await client.get(f"{STUDY}state.json")).json())["states"]
            assert states == "cdfrc"

    asyncio.run(ask_again())


def test_many_viewers_share_one_refresh(five: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    read, at_once, most = 0, 0, 0
    real, lock = WatchedStudy.refresh, threading.Lock()

    def counted(self: WatchedStudy) -> None:
        nonlocal read, at_once, most
        with lock:
            read, at_once = read + 1, at_once + 1
            most = max(most, at_once)
        real(self)
        with lock:
            at_once -= 1

    monkeypatch.setattr(WatchedStudy, "refresh", counted)

    async def crowd() -> None:
        async with TestClient(TestServer(make_app(five.folder.out))) as client:
            for _ in range(3):
                answers = await asyncio.gather(
                    *(client.get(f"{STUDY}state.json") for _ in range(20))
                )
                assert {answer.status for answer in answers} == {200}

    asyncio.run(crowd())
    assert read == 1 and most == 1  # all of that is within two seconds


def test_a_folder_that_takes_long_to_list_is_listed_once_and_holds_up_nothing_else(
    five: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed, there, real = 0, threading.Event(), watching.studies_in

    def slow(root: Path) -> list[StudyFolder]:
        nonlocal listed
        listed += 1
        assert there.wait(60)
        return real(root)

    monkeypatch.setattr(watching, "studies_in", slow)

    async def crowd() -> None:
        async with TestClient(TestServer(make_app(five.folder.out))) as client:
            waiting = [asyncio.ensure_future(client.get(p)) for p in ("/", "/metrics", STUDY)]
            looks = await asyncio.wait_for(client.get("/static/dashboard.css"), 30)
            await asyncio.sleep(0.2)
            assert looks.status == 200 and not any(page.done() for page in waiting)
            assert listed == 1
            there.set()
            assert {answer.status for answer in await asyncio.gather(*waiting)} == {200}

    asyncio.run(crowd())


def test_text_of_a_study_is_never_markup(five: Any, ask: Any) -> None:
    ids = five.ids
    study, failed, running = ask(
        five.folder.out, STUDY, f"{STUDY}trial/{ids['failed']}/", f"{STUDY}trial/{ids['running']}/"
    )
    assert "&lt;script&gt;document.title" in failed.text and "&lt;b&gt;no" in failed.text
    assert "&lt;script&gt;alert(1)" in running.text
    for page in (study, failed, running):
        scripts = re.findall(r"<script[^>]*>", page.text)
        assert len(scripts) == 1 and 'src="' in scripts[0]
        assert "unsafe" not in page.headers["Content-Security-Policy"]
        assert page.headers["X-Content-Type-Options"] == "nosniff"


def test_a_study_whose_folder_has_an_evil_name(five: Any, ask: Any, tmp_path: Path) -> None:
    out = tmp_path / "elsewhere"
    name = "<img src=x onerror=alert(1)> & ünï %2e"
    shutil.copytree(five.folder.root, out / name)
    [page] = ask(out, "/")
    assert "<img" not in page.text
    [link] = re.findall(r'href="(study/[^"]*)"', page.text)
    [study] = ask(out, f"/{link}")
    assert study.status == 200 and "<img" not in study.text


def test_the_scripts_write_text_and_no_markup() -> None:
    scripts = list(app.STATIC.glob("*.js"))
    assert len(scripts) > 5
    for script in scripts:
        source = script.read_text()
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval", source)
    for path in (*app.STATIC.iterdir(), *(app.STATIC.parent / "templates").iterdir()):
        found = set(re.findall(r"https?://[^\s\"']+", path.read_text()))
        assert found <= {"http://www.w3.org/2000/svg"}, path  # nothing from elsewhere


def test_nothing_but_the_pages_is_served(five: Any) -> None:
    """Paths as an attacker spells them: a client library would tidy them up first."""
    paths = [
        "/study/../",
        "/study/%2e%2e/",
        "/study/%2e%2e%2fout%2ffive/",
        "/study/five%00/",
        "/study/other/",
        "/study/five/../../manifest.json",
        "/study/five/trial/../",
        "/study/five/trial/%2e%2e/",
        "/study/five/trial/..%2f..%2fmanifest.json/",
        "/study/five/trial/0123456789abcdef/",
        "/study/five/trial/0123456789abcdef/curve.json",
        "/study/five/manifest.json",
        "/study/five/scores.json",
        "/study/five/scores.json?metric=mig&score=mig&representation=mean&size=full&at=x",
        "/static/../app.py",
        "/static/%2e%2e/app.py",
        "/static/..%2fapp.py",
        "/static//etc/passwd",
        "/static/",
        "//etc/passwd",
        "/x",
    ]

    async def ask_raw() -> dict[str, bytes]:
        answers = {}
        async with TestServer(make_app(five.folder.out)) as server:
            for path in paths:
                reader, writer = await asyncio.open_connection(server.host, server.port)
                writer.write(f"GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n".encode())
                answers[path] = await reader.read()
                writer.close()
                await writer.wait_closed()
        return answers

    for path, answer in asyncio.run(ask_raw()).items():
        assert answer.split()[1] in (b"403", b"404"), path
        for secret in (b"schema_version", b"root:", b"def make_app"):
            assert secret not in answer, path


def test_nothing_can_be_sent(five: Any, ask: Any) -> None:
    for method in ("POST", "PUT", "DELETE"):
        [answer] = ask(five.folder.out, STUDY, method=method)
        assert answer.status == 405


@pytest.mark.parametrize(
    ("bound_to", "asked_as", "refused"),
    [
        (
            "127.0.0.1",
            ["localhost:8280", "127.0.0.1", "[::1]:8280", "LOCALHOST:1"],
            ["evil.example:8280", "127.0.0.1.evil.example", "10.0.0.1:8280"],
        ),
        ("0.0.0.0", ["head.cluster:8280", "10.0.0.1"], []),
    ],
)
def test_another_name_for_this_machine_is_refused_where_only_it_can_connect(
    five: Any, ask: Any, bound_to: str, asked_as: list[str], refused: list[str]
) -> None:
    for name in (*asked_as, *refused):
        [answer] = ask(five.folder.out, "/static/icon.svg", host=bound_to, headers={"Host": name})
        assert answer.status == (403 if name in refused else 200), name
        assert name in asked_as or "--host" in answer.text


def test_loopback_is_an_address_not_a_spelling() -> None:
    assert all(map(is_loopback, ("127.8.8.8", "::1", "[::1]", "localhost")))
    assert not any(map(is_loopback, ("0.0.0.0", "10.0.0.1", "localhost.evil", "")))


def test_a_study_of_measurements_says_what_it_is_and_shows_distances(
    tmp_path: Path, ask: Any
) -> None:
    path = tmp_path / "importance.yaml"
    path.write_text(
        "study: importance\nmeasurement: {dataset: xysquares, pairs: 60}\n"
        "grid: {dataset.spacing: [8, 1]}\n"
    )
    grid = load_grid(path)
    folder = StudyFolder(tmp_path / "out" / "importance", 1)
    manifest.write(folder, grid, {}, "made up")
    trial_id = grid.trials[0].trial_id
    rows = [
        {"trial_id": trial_id, "factor": name, "distance_mean": mean, "pairs": 60}
        for name, mean in (("y_R", 0.25), ("x_R", 0.75))
    ]
    folder.distances(trial_id).parent.mkdir()
    pq.write_table(pa.Table.from_pylist(rows, DISTANCES), folder.distances(trial_id))
    study, grid_json, measured, waiting = ask(
        tmp_path / "out",
        "/study/importance/",
        "/study/importance/grid.json",
        f"/study/importance/trial/{trial_id}/",
        f"/study/importance/trial/{grid.trials[1].trial_id}/",
    )
    assert "A study of measurements" in study.text and "0 of 2" in study.text
    assert grid_json.json["unit"] == "measurement"
    assert measured.text.index("x_R") < measured.text.index("y_R") and "0.75" in measured.text
    assert waiting.status == 200 and "curve.json" not in waiting.text
    folder.distances(trial_id).write_bytes(folder.distances(trial_id).read_bytes()[:100])
    [half] = ask(tmp_path / "out", f"/study/importance/trial/{trial_id}/")
    assert half.status == 200 and f"{trial_id}.parquet: damaged" in half.text
