from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from trainers.streams import Stream, below, normals, philox, words

WORD = st.integers(0, 2**32 - 1)


def philox_by_definition(counter: list[int], key: list[int]) -> list[int]:
    """Salmon et al. 2011, in unbounded Python integers."""
    c, k = list(counter), list(key)
    for _ in range(10):
        p0, p1 = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
        c = [p1 >> 32 ^ c[1] ^ k[0], p1 % 2**32, p0 >> 32 ^ c[3] ^ k[1], p0 % 2**32]
        k = [(k[0] + 0x9E3779B9) % 2**32, (k[1] + 0xBB67AE85) % 2**32]
    return c


def philox_of(counter: list[int], key: list[int]) -> list[int]:
    c0, c1, c2, c3 = (torch.tensor(word) for word in counter)
    return [int(word) for word in philox((c0, c1, c2, c3), (key[0], key[1]))]


# Random123 1.14.0, tests/kat_vectors, the lines "philox4x32 10": counter, key, answer.
KNOWN_ANSWERS = """
00000000 00000000 00000000 00000000 00000000 00000000  6627e8d5 e169c58d bc57ac4c 9b00dbd8
ffffffff ffffffff ffffffff ffffffff ffffffff ffffffff  408f276d 41c83b0e a20bc7c6 6d5451fd
243f6a88 85a308d3 13198a2e 03707344 a4093822 299f31d0  d16cfe09 94fdcceb 5001e420 24126ea1
"""


@pytest.mark.parametrize("line", KNOWN_ANSWERS.strip().splitlines())
def test_philox_gives_the_known_answers(line: str) -> None:
    numbers = [int(word, 16) for word in line.split()]
    assert philox_of(numbers[:4], numbers[4:6]) == numbers[6:]


@given(st.lists(WORD, min_size=4, max_size=4), st.lists(WORD, min_size=2, max_size=2))
def test_philox_is_its_definition(counter: list[int], key: list[int]) -> None:
    assert philox_of(counter, key) == philox_by_definition(counter, key)


@given(st.integers(0, 2**64 - 1), st.sampled_from(Stream), st.integers(0, 2**32 - 1))
def test_a_word_follows_from_seed_stream_step_row_and_column(
    seed: int, stream: Stream, step: int
) -> None:
    drawn = words(seed, stream, step, rows=3, columns=6)
    for row in range(3):
        for column in range(6):
            counter = [column // 4, row, step, int(stream)]
            block = philox_by_definition(counter, [seed % 2**32, seed >> 32])
            assert drawn[row, column] == block[column % 4]


def test_a_larger_draw_keeps_the_numbers_of_a_smaller_one() -> None:
    small = normals(3, Stream.CELLS, 5, 7, 9, dtype=torch.float32)
    large = normals(3, Stream.CELLS, 5, 11, 30, dtype=torch.float32)
    assert torch.equal(large[:7, :9], small)


def test_a_step_on_the_device_keys_like_a_number() -> None:
    number = words(1, Stream.PAIRS, 12, 5, 5)
    assert torch.equal(words(1, Stream.PAIRS, torch.tensor(12), 5, 5), number)


def test_the_numbers_of_the_streams_never_change() -> None:
    assert {stream.name: stream.value for stream in Stream} == {
        "INITIALISATION": 0,
        "CELLS": 1,
        "PAIRS": 2,
        "LATENT_NOISE": 3,
        "PICTURES": 4,
        "NUISANCE": 5,
        "DISTANCES": 6,
        "PIXELS": 7,
        "ORDER": 8,
        "PERMUTATION": 9,
        "EVALUATION": 10,
        "EVALUATION_NOISE": 11,
    }


@pytest.mark.parametrize("seed", [-1, 2**64])
def test_a_seed_outside_64_bits_is_refused(seed: int) -> None:
    with pytest.raises(ValueError, match=r"seed must be a whole number in \[0, 2\^64\)"):
        words(seed, Stream.CELLS, 0, 1, 1)


@given(WORD, st.integers(1, 2**31))
def test_below_is_the_high_word_of_the_product(word: int, bound: int) -> None:
    assert int(below(torch.tensor(word), bound)) == word * bound // 2**32


@pytest.mark.parametrize("bound", [2, 5, 7, 183])
def test_whole_numbers_are_uniform(bound: int) -> None:
    drawn = below(words(0, Stream.CELLS, 0, 10_000, 4), bound)
    counts = torch.bincount(drawn.flatten(), minlength=bound)
    assert len(counts) == bound
    assert stats.chisquare(counts.numpy()).pvalue > 1e-3


def test_normals_are_box_and_muller_of_the_words() -> None:
    drawn = normals(9, Stream.LATENT_NOISE, 4, 3, 7, dtype=torch.float64)
    u = words(9, Stream.LATENT_NOISE, 4, 3, 8).numpy() / 2**32
    radius, angle = np.sqrt(-2 * np.log1p(-u[:, 0::2])), 2 * math.pi * u[:, 1::2]
    expected = np.empty((3, 8))
    expected[:, 0::2], expected[:, 1::2] = radius * np.cos(angle), radius * np.sin(angle)
    np.testing.assert_allclose(drawn.numpy(), expected[:, :7], rtol=1e-13, atol=1e-14)


def test_normals_are_standard_normal_and_independent_by_step_and_column() -> None:
    drawn = normals(0, Stream.LATENT_NOISE, 0, 20_000, 4, dtype=torch.float64).numpy()
    assert stats.kstest(drawn.ravel(), "norm").pvalue > 1e-3
    later = normals(0, Stream.LATENT_NOISE, 1, 20_000, 4, dtype=torch.float64).numpy()
    correlations = np.corrcoef(np.hstack([drawn, later]).T) - np.eye(8)
    assert np.abs(correlations).max() < 4.5 / math.sqrt(20_000)


def test_normals_come_in_the_dtype_asked_for() -> None:
    wide = normals(0, Stream.LATENT_NOISE, 0, 5, 5, dtype=torch.float64)
    narrow = normals(0, Stream.LATENT_NOISE, 0, 5, 5, dtype=torch.float32)
    assert narrow.dtype == torch.float32
    assert torch.equal(narrow, wide.float())


def test_rows_can_be_drawn_from_any_of_them_on() -> None:
    whole = words(3, Stream.DISTANCES, 5, 20, 7)
    assert torch.equal(words(3, Stream.DISTANCES, 5, 8, 7, first_row=12), whole[12:])


def test_the_rows_of_several_steps_follow_each_other() -> None:
    steps = torch.tensor([3, 2**32 - 1, 4])
    drawn = words(3, Stream.CELLS, steps, 5, 7)
    assert torch.equal(drawn, torch.cat([words(3, Stream.CELLS, int(s), 5, 7) for s in steps]))
    numbers = normals(3, Stream.CELLS, steps, 5, 7, dtype=torch.float32)
    each = [normals(3, Stream.CELLS, int(s), 5, 7, dtype=torch.float32) for s in steps]
    assert torch.equal(numbers, torch.cat(each))
