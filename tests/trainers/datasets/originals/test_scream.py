from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from trainers.datasets.originals.scream import read_scream
from trainers.datasets.source import SourceError


def painting(width: int, height: int, mode: str = "RGB") -> Image.Image:
    """Red grows to the right, green downwards."""
    rows, columns = np.mgrid[:height, :width]
    pixels = np.stack([rows * 0 + 90, columns * 255 // width, rows * 255 // height], axis=-1)
    return Image.fromarray(pixels[..., [1, 2, 0]].astype(np.uint8)).convert(mode)


@pytest.mark.parametrize(
    ("size", "shrunk"),
    [
        ((1000, 1000), (274, 274)),  # width, height
        ((1012, 1274), (218, 274)),
        ((1400, 700), (350, 175)),
        ((300, 200), (300, 200)),
    ],
)
def test_it_is_shrunk_to_fit_in_its_own_proportions(
    size: tuple[int, int], shrunk: tuple[int, int], tmp_path: Path
) -> None:
    path = tmp_path / "scream.jpg"
    painting(*size).save(path, quality=95)
    pixels = read_scream(path)
    assert pixels.dtype == np.uint8
    assert pixels.shape == (shrunk[1], shrunk[0], 3)
    wanted = np.asarray(painting(*shrunk)).astype(int)
    assert np.abs(wanted - pixels).mean() < 3


def test_it_is_what_pillow_calls_a_thumbnail(tmp_path: Path) -> None:
    path = tmp_path / "scream.jpg"
    noise = np.random.default_rng(0).integers(0, 256, (600, 480, 3), dtype=np.uint8)
    Image.fromarray(noise).save(path)
    with Image.open(path) as image:
        image.thumbnail((350, 274))
        np.testing.assert_array_equal(read_scream(path), np.asarray(image))


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (painting(400, 400, "L"), "expected an RGB image, found L"),
        (painting(400, 64), "expected more than 64 pixels each way .*, found 350 x 56"),
        (painting(64, 80), "found 64 x 80"),
    ],
)
def test_another_image_is_refused(image: Image.Image, message: str, tmp_path: Path) -> None:
    path = tmp_path / "scream.jpg"
    image.save(path)
    with pytest.raises(SourceError, match=f"{path}: .*{message}"):
        read_scream(path)


def test_a_file_that_is_no_whole_jpeg_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "scream.jpg"
    painting(400, 400).save(path)
    whole = path.read_bytes()
    painting(400, 400).save(path, format="PNG")
    for content in (b"", whole[:100], whole[: len(whole) // 2], path.read_bytes()):
        path.write_bytes(content)
        with pytest.raises(SourceError, match=f"{path}: expected a JPEG image, found: [^\n]+$"):
            read_scream(path)
