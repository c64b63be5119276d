"""The addresses of the dashboard and what each answers. Nothing but GET, and a login."""

from __future__ import annotations

import asyncio
import hashlib
import json
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote

import jinja2
from aiohttp import web

from orchestrator.dashboard import live
from orchestrator.dashboard.cells import ScoreChoice, score_column
from orchestrator.dashboard.exporter import exposition
from orchestrator.dashboard.formats import FILTERS
from orchestrator.dashboard.guard import (
    LOGIN,
    LONGEST_FORM,
    add_headers,
    host_check,
    logged_in,
    same,
    token_check,
)
from orchestrator.dashboard.overview import DRIVERS, counts_of, facts_of, hours_of
from orchestrator.dashboard.study import Snapshot, WatchedStudy
from orchestrator.dashboard.trial import row_of, score_curves, trial_view
from orchestrator.dashboard.unread import or_unread
from orchestrator.dashboard.watching import Studies
from results.files import Location
from results.schema import SchemaError

STATIC = Path(__file__).parent / "static"
JSON = "application/json"
PNG = "image/png"
METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def make_app(root: Location, host: str = "127.0.0.1", token: str | None = None) -> web.Application:
    """The application for the studies below `root`, or for the one study that `root` is.

    With a token, whoever asks has to have it.
    """
    dashboard = Dashboard(Studies(root), token)
    middlewares = [host_check(host)]
    if token is not None:
        middlewares.append(token_check(token, dashboard.ask_token))
    app = web.Application(middlewares=middlewares, client_max_size=LONGEST_FORM)
    app.on_response_prepare.append(add_headers)
    if token is not None:
        app.router.add_post(LOGIN, dashboard.login)
    study, trial = "/study/{study}", "/study/{study}/trial/{trial}"
    for path, handler in (
        ("/", dashboard.index),
        (f"{study}/", dashboard.study),
        (f"{study}/grid.json", dashboard.grid),
        (f"{study}/state.json", dashboard.state),
        (f"{study}/scores.json", dashboard.scores),
        (f"{study}/curves.json", dashboard.curves),
        (f"{trial}/", dashboard.trial),
        (f"{trial}/curve.json", dashboard.curve),
        (f"{trial}/latents.png", dashboard.latents),
        ("/metrics", dashboard.metrics),
    ):
        app.router.add_get(path, handler)
    app.router.add_static("/static", STATIC)
    app.on_startup.append(dashboard.read_ahead)
    app.on_cleanup.append(dashboard.stop)
    return app


class Dashboard:
    """The handlers. Sums and files are in threads; answers carry an ETag, and 304 is the rule."""

    def __init__(self, studies: Studies, token: str | None) -> None:
        self.studies = studies
        self.token = token
        # Snapshots are numbered from 1 in every process.
        self._process = secrets.token_hex(4)
        self._ahead: asyncio.Task[Any] | None = None
        self._drawing = asyncio.Lock()  # matplotlib draws in one thread at a time
        self._pages = jinja2.Environment(
            loader=jinja2.PackageLoader("orchestrator.dashboard"),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._pages.filters.update(FILTERS)
        self._pages.globals["drivers"] = DRIVERS

    async def read_ahead(self, app: web.Application) -> None:
        """A large study takes a second or two to read: that need not wait for its first viewer."""
        self._ahead = asyncio.create_task(self.studies.all())

    async def stop(self, app: web.Application) -> None:
        assert self._ahead is not None
        self._ahead.cancel()

    def ask_token(self, request: web.Request, wrong: bool = False) -> web.Response:
        """The form that asks a person for the token."""
        page = self._pages.get_template("login.html").render(base=_base(request), wrong=wrong)
        return web.Response(
            text=page, status=401, content_type="text/html", headers={"Cache-Control": "no-store"}
        )

    async def login(self, request: web.Request) -> web.Response:
        assert self.token is not None
        # A form of one field; aiohttp's own reading can be made to raise anything.
        [given] = parse_qs((await request.read()).decode("latin-1")).get("token", [""])[:1]
        if not same(given.strip(), self.token):
            return self.ask_token(request, wrong=True)
        # Relative, as everything here.
        response = web.Response(status=303, headers={"Location": "./"})
        logged_in(response, self.token)
        return response

    async def index(self, request: web.Request) -> web.Response:
        if self.studies.single:
            raise web.HTTPFound(f"study/{quote(self.studies.root.name)}/")
        found = await self.studies.all()

        def values() -> dict[str, Any]:
            rows = [
                (name, study.problem, now and (now, counts_of(now), hours_of(now)))
                for name, study in found.items()
                for now in [study.snapshot]
            ]
            return {"root": self.studies.root, "rows": rows}

        return await self._page(request, "index.html", values)

    async def study(self, request: web.Request) -> web.Response:
        watched = await self._watched(request)
        snapshot = watched.snapshot
        if snapshot is None:
            values = {"study": watched.folder.name, "problem": watched.problem}
            return await self._page(request, "unreadable.html", lambda: values, status=503)
        return await self._page(
            request,
            "study.html",
            lambda: {
                "snapshot": snapshot,
                "facts": facts_of(snapshot),
                "hours": hours_of(snapshot),
                "single": self.studies.single,
            },
        )

    async def grid(self, request: web.Request) -> web.Response:
        snapshot = await self._snapshot(request)
        return await self._json(request, snapshot.cells.as_json)

    async def state(self, request: web.Request) -> web.Response:
        snapshot = await self._snapshot(request)
        # Not even made where the browser has it: a snapshot has one.
        tag = f"{self._process}-{snapshot.number}"
        body = b"" if _has(request, tag) else await _dumped(lambda: live.state_json(snapshot))
        return _tagged(request, body, tag, JSON)

    async def scores(self, request: web.Request) -> web.Response:
        snapshot = await self._snapshot(request)
        choice = ScoreChoice(*(request.query.get(name, "") for name in ScoreChoice._fields))
        at = request.query.get("at")
        if choice not in snapshot.choices or at not in ("last", "best"):
            raise web.HTTPNotFound(text="no such score in this study\n")
        seed = snapshot.grid.evaluate.seed
        return await self._json(
            request,
            lambda: score_column(
                snapshot.scores, snapshot.cells, choice, seed=seed, best=at == "best"
            ),
        )

    async def curves(self, request: web.Request) -> web.Response:
        """Of `?trials=`, places in the grid with commas between."""
        watched, snapshot = await self._watched(request), await self._snapshot(request)
        known = snapshot.cells.trial_ids
        places = request.query.get("trials", "").split(",")
        # Python refuses to read a number of thousands of digits, by an error.
        numbers = [int(place) for place in places if place.isdecimal() and len(place) < 10]
        ids = [known[number] for number in numbers if number < len(known)]
        return await self._json(request, lambda: live.common_curves(watched.folder, ids))

    async def trial(self, request: web.Request) -> web.Response:
        watched, snapshot = await self._watched(request), await self._snapshot(request)
        index = self._place(request, snapshot)
        values = {
            "study": watched.folder.name,
            "problem": snapshot.problem,
            "single": self.studies.single,
        }
        return await self._page(
            request, "trial.html", lambda: values | trial_view(snapshot, watched.folder, index)
        )

    async def curve(self, request: web.Request) -> web.Response:
        watched, snapshot = await self._watched(request), await self._snapshot(request)
        trial_id = snapshot.cells.trial_ids[self._place(request, snapshot)]

        def found() -> dict[str, Any]:
            terms, problem = or_unread(lambda: live.whole_curve(watched.folder, trial_id))
            return {"terms": terms, "problem": problem, "scores": score_curves(snapshot, trial_id)}

        return await self._json(request, found)

    async def latents(self, request: web.Request) -> web.Response:
        from orchestrator.dashboard.sheet import sheet_png  # matplotlib takes half a second

        watched, snapshot = await self._watched(request), await self._snapshot(request)
        trial_id = snapshot.cells.trial_ids[self._place(request, snapshot)]
        async with self._drawing:
            row = row_of(snapshot, trial_id)
            drawing = asyncio.to_thread(sheet_png, watched.folder, trial_id, row)
            try:
                body = await drawing
            except SchemaError as error:
                raise web.HTTPServiceUnavailable(text=f"{error}\n") from None
        if body is None:
            raise web.HTTPNotFound(text="this trial has left no pictures\n")
        return _tagged(request, body, _digest(body), PNG)

    async def metrics(self, request: web.Request) -> web.Response:
        studies = await self.studies.all()
        body = await asyncio.to_thread(exposition, studies)
        return web.Response(body=body, headers={"Content-Type": METRICS_TYPE})

    async def _watched(self, request: web.Request) -> WatchedStudy:
        reader = await self.studies.reader(request.match_info["study"])
        if reader is None:
            raise web.HTTPNotFound(text="no such study here\n")
        return await reader.current()

    async def _snapshot(self, request: web.Request) -> Snapshot:
        watched = await self._watched(request)
        if watched.snapshot is None:
            raise web.HTTPServiceUnavailable(text=f"{watched.problem}\n")
        return watched.snapshot

    def _place(self, request: web.Request, snapshot: Snapshot) -> int:
        try:
            return snapshot.cells.trial_ids.index(request.match_info["trial"])
        except ValueError:
            raise web.HTTPNotFound(text="no such trial in this study\n") from None

    async def _page(
        self,
        request: web.Request,
        template: str,
        values: Callable[[], dict[str, Any]],
        status: int = 200,
    ) -> web.Response:
        base = _base(request)

        def rendered() -> bytes:
            return self._pages.get_template(template).render(base=base, **values()).encode()

        body = await asyncio.to_thread(rendered)
        return _tagged(request, body, _digest(body), "text/html", status)

    async def _json(self, request: web.Request, make: Callable[[], Any]) -> web.Response:
        body = await _dumped(make)
        return _tagged(request, body, _digest(body), JSON)


def _base(request: web.Request) -> str:
    """Relative, so that a proxy may serve the dashboard below a path of its own."""
    return "../" * (request.path.count("/") - 1) or "./"


async def _dumped(make: Callable[[], Any]) -> bytes:
    def dump() -> bytes:
        # Python writes NaN and takes it back; no browser does, so here it is an error.
        text = json.dumps(make(), separators=(",", ":"), ensure_ascii=False, allow_nan=False)
        return text.encode()

    return await asyncio.to_thread(dump)


def _digest(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()[:16]


def _has(request: web.Request, tag: str) -> bool:
    return tag in [known.value for known in request.if_none_match or ()]


def _tagged(
    request: web.Request, body: bytes, tag: str, content_type: str, status: int = 200
) -> web.Response:
    headers = {"Cache-Control": "no-cache"}  # that is: ask, with the tag
    if _has(request, tag):
        response = web.Response(status=304, headers=headers)
    else:
        response = web.Response(
            body=body,
            status=status,
            content_type=content_type,
            charset=None if content_type == PNG else "utf-8",
            headers=headers,
        )
        if content_type != PNG:
            response.enable_compression()
    response.etag = tag
    return response
