from __future__ import annotations

import asyncio
import io
from typing import Any

import numpy as np
from aiohttp.test_utils import TestClient, TestServer
from PIL import Image

from orchestrator.dashboard.app import make_app


def written(five: Any, trial_id: str) -> None:
    rng = np.random.default_rng(0)
    path = five.folder.artifacts(trial_id) / "pictures.npz"
    path.parent.mkdir(parents=True)
    images = rng.integers(0, 255, (8, 1, 64, 64), dtype=np.uint8)
    traversals = rng.integers(0, 255, (2, 7, 1, 64, 64), dtype=np.uint8)
    np.savez(path, originals=images, reconstructions=images, traversals=traversals)


def answer(five: Any, trial_id: str) -> tuple[int, bytes]:
    async def ask() -> tuple[int, bytes]:
        async with TestClient(TestServer(make_app(five.folder.out))) as client:
            found = await client.get(f"/study/five/trial/{trial_id}/latents.png")
            return found.status, await found.read()

    return asyncio.run(ask())


def test_what_the_latents_of_a_trial_do_is_a_picture_of_its_page(five: Any, ask: Any) -> None:
    trial_id = five.ids["completed"]
    page = f"/study/five/trial/{trial_id}/"
    assert "latents.png" not in ask(five.folder.out, page)[0].text
    assert answer(five, trial_id)[0] == 404
    written(five, trial_id)
    assert 'src="latents.png"' in ask(five.folder.out, page)[0].text
    status, body = answer(five, trial_id)
    with Image.open(io.BytesIO(body)) as picture:
        assert status == 200 and picture.format == "PNG" and picture.width > 400


def test_half_a_file_of_pictures_is_said_to_be_one(five: Any) -> None:
    trial_id = five.ids["completed"]
    written(five, trial_id)
    path = five.folder.artifacts(trial_id) / "pictures.npz"
    path.write_bytes(path.read_bytes()[:5_000])
    status, body = answer(five, trial_id)
    assert status == 503 and b"pictures.npz: not a whole .npz file" in body
