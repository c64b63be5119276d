from __future__ import annotations

import pickle
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from trainers.datasets.song.factors import Draw, Factors
from trainers.datasets.song.source import PART, SongSource, SongVotes, drawn
from trainers.datasets.source import Batch, Source

ROOT = Path(__file__).resolve().parents[4]
MAX_BATCH = 64 * 2**20


def whole(source: Source) -> Batch:
    """All batches of a source, one after another; parts are read from the last to the first."""
    parts = [list(source.read(part)) for part in reversed(range(source.parts))]
    batches = [batch for part in reversed(parts) for batch in part]
    assert max(batch.images.nbytes for batch in batches) <= MAX_BATCH
    return Batch(*(np.concatenate(arrays) for arrays in zip(*batches, strict=True)))


@pytest.mark.parametrize("complexity", range(1, 8))
def test_every_image_is_read_once(complexity: int) -> None:
    count = PART + 5 if complexity in (1, 7) else 300
    source = SongSource(complexity, images=count)
    indices, images = whole(source)
    assert source.parts == -(-count // PART)
    assert indices.dtype == np.int64
    assert np.array_equal(indices, np.arange(count))
    assert images.dtype == np.uint8
    assert images.shape == (count, 64, 64, 1 if complexity < 6 else 3)
    assert (images.reshape(count, -1).max(axis=1) > 0).all()
    some = np.array([count - 1, 0, 17])
    again = drawn(source.factors, source.factor_values(some))
    assert np.array_equal(images[some], again)


def test_a_larger_set_begins_as_a_smaller_one() -> None:
    few, many = SongSource(6, images=10), SongSource(6, images=5000)
    first = next(many.read(0)).images[:10]
    assert np.array_equal(next(few.read(0)).images, first)
    assert SongSource(6).images == 1_000_000
    assert SongSource(6).parts == 123


def test_options_change_what_they_name() -> None:
    indices = np.arange(50)
    for option in ({"scale": "printed"}, {"colour": "rgb"}):
        source = SongSource(6, images=50, **option)  # type: ignore[arg-type]
        images = next(source.read(0)).images
        assert images.shape == (50, 64, 64, 3)
        assert not np.array_equal(images, next(SongSource(6, images=50).read(0)).images)
        assert source.factor_values(indices).shape == (50, len(source.factors.names))


@pytest.mark.parametrize("complexity", range(1, 8))
def test_a_vote_holds_its_factor_and_no_other(complexity: int) -> None:
    votes = SongVotes(complexity)
    labels = votes.labels()
    assert labels.dtype == np.int64
    assert np.bincount(labels).tolist() == [80] * complexity
    values = votes.factor_values(np.arange(votes.images)).reshape(votes.votes, 400, complexity)
    held = (values == values[:, :1]).all(axis=1)
    assert np.array_equal(held, np.arange(complexity) == labels[:, None])
    # What is held is drawn anew for each vote, as what is free and as the set is.
    expected = Factors(complexity).sample(Draw.IMAGES, np.arange(10_000))
    for factor in range(complexity):
        values_held = values[labels == factor, 0, factor]
        assert len(np.unique(values_held)) == (3 if factor == 3 else 80)
        for drawn_here in (values_held, values[labels != factor, :, factor].ravel()):
            if len(drawn_here):
                error = expected[:, factor].std() / len(drawn_here) ** 0.5
                mean = expected[:, factor].mean()
                assert drawn_here.mean() == pytest.approx(mean, abs=4 * error + 0.02 * mean)


def test_votes_are_images_of_their_own() -> None:
    votes, source = SongVotes(5), SongSource(5)
    indices = np.arange(1000)
    drawn_for_votes, drawn_for_set = votes.factor_values(indices), source.factor_values(indices)
    continuous = [0, 1, 2, 4]
    assert not set(drawn_for_votes[:, continuous].flat) & set(drawn_for_set[:, continuous].flat)


def test_votes_of_fewer_images_hold_the_same_values() -> None:
    few, votes = SongVotes(5, vote_images=64), SongVotes(5)
    assert few.images == 64 * few.votes == 64 * votes.votes
    assert np.array_equal(few.labels(), votes.labels())
    values = few.factor_values(np.arange(few.images)).reshape(few.votes, 64, 5)
    first = votes.factor_values(400 * np.arange(votes.votes))
    for factor in range(5):
        of_factor = few.labels() == factor
        assert (values[of_factor, :, factor] == first[of_factor, None, factor]).all()


def test_votes_in_channels_hold_one_channel() -> None:
    votes = SongVotes(6, colour="rgb")
    assert votes.votes == 80 * 8
    assert votes.images == 400 * 640
    assert votes.labels().max() == 7


def test_votes_are_read_like_a_set() -> None:
    votes = SongVotes(1)
    assert votes.images == 80 * 400
    indices, images = (np.concatenate(arrays) for arrays in zip(*votes.read(3), strict=True))
    assert np.array_equal(indices, np.arange(3 * PART, votes.images))
    last = images[-400:]
    assert np.array_equal(last, np.broadcast_to(last[:1], last.shape))
    assert not np.array_equal(images[-401], last[0])
    some = np.array([31_999, 3 * PART + 5])
    expected = drawn(votes.factors, votes.factor_values(some))
    assert np.array_equal(images[some - 3 * PART], expected)


@pytest.mark.parametrize("complexity", [6, 7])
def test_parts_read_by_threads_are_the_same(complexity: int) -> None:
    source = SongSource(complexity, images=2 * PART)

    def first(part: int) -> Batch:
        return next(source.read(part))

    with ThreadPoolExecutor(2) as threads:
        together = list(threads.map(first, [0, 1]))
    for part, batch in enumerate(together):
        some = batch.indices[::500]
        expected = drawn(source.factors, source.factor_values(some))
        assert np.array_equal(some // PART, np.full(len(some), part))
        assert np.array_equal(batch.images[::500], expected)


def test_sources_are_plain_data() -> None:
    for source in (SongSource(7, images=9, colour="rgb"), SongVotes(3, scale="printed")):
        assert pickle.loads(pickle.dumps(source)) == source


def test_numba_is_loaded_with_the_first_image() -> None:
    code = (
        "import sys; from trainers.datasets.song.source import SongSource as S;"
        "print('numba' in sys.modules); next(S(2, images=1).read(0)); print('numba' in sys.modules)"
    )
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert loaded.stdout.split() == ["False", "True"]
