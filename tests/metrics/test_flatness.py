from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pytest
from scipy.spatial.distance import cdist

from metrics import METRICS, score
from metrics.distances import draw_traversals
from metrics.flatness import flatness
from metrics.table import CodeTable, generator

Doubles = npt.NDArray[np.float64]
SIZES = (5, 6, 7)


def positions(*sizes: int) -> Doubles:
    """float64 [N, F]: the index of each factor."""
    return np.indices(sizes).reshape(len(sizes), -1).T.astype(np.float64)


def full(codes: npt.NDArray[np.floating], sizes: tuple[int, ...] = SIZES) -> dict[str, float]:
    return score("flatness", CodeTable.checked(codes, sizes), size="full", seed=0)


def plain_flatness(table: CodeTable, seed: int, repeats: int) -> dict[str, list[float]]:
    """The mean widths and lengths of each factor as disent defines them, a traversal at a time."""
    rng = generator(seed, "flatness")
    found: dict[str, list[float]] = {"w1": [], "w2": [], "l1": [], "l2": []}
    for factor, size in enumerate(table.factor_sizes):
        widths: dict[str, list[float]] = {"1": [], "2": []}
        deltas: dict[str, list[Doubles]] = {"1": [], "2": []}
        for rows in draw_traversals(table, rng, factor, repeats):
            points = table.rows[rows].astype(np.float64)
            for p, name in (("1", "cityblock"), ("2", "euclidean")):
                between = cdist(points, points, name)
                widths[p].append(between.max())
                ring = between[np.arange(size), (np.arange(size) + 1) % size]
                deltas[p].append(np.sort(ring)[:-1])
        for p in "12":
            found[f"w{p}"].append(float(np.mean(widths[p])))
            found[f"l{p}"].append(float(np.mean(deltas[p]) * (size - 1)))
    return found


def test_agrees_with_the_definition_a_traversal_at_a_time() -> None:
    rng = np.random.default_rng(0)
    codes = positions(*SIZES) @ rng.standard_normal((3, 4)) + rng.standard_normal((2, 210, 4))
    table = CodeTable.checked(codes, SIZES)
    found = flatness(table, seed=3, repeats=100)
    plain = {name: np.array(each) for name, each in plain_flatness(table, 3, 100).items()}
    expected = {
        "flatness": np.mean(plain["w2"] / plain["l1"]),
        "flatness_l1": np.mean(plain["w1"] / plain["l1"]),
        "flatness_l2": np.mean(plain["w2"] / plain["l2"]),
        "flatness_width_l1": plain["w1"].mean(),
        "flatness_width_l2": plain["w2"].mean(),
        "flatness_length_l1": plain["l1"].mean(),
        "flatness_length_l2": plain["l2"].mean(),
    }
    assert found == pytest.approx(expected, rel=1e-12)
    assert 0.2 < found["flatness"] < 0.8


def test_even_steps_along_one_latent_score_one_whatever_their_size() -> None:
    for codes in (positions(*SIZES), positions(*SIZES) * [1e-3, -20, 1e6] + [5, 0, -1e3]):
        scores = full(codes)
        assert scores["flatness"] == pytest.approx(1.0, abs=1e-6)
        assert scores["flatness_l1"] == pytest.approx(1.0, abs=1e-6)
    scores = full(positions(*SIZES))
    assert scores["flatness_width_l2"] == scores["flatness_length_l1"] == (4 + 5 + 6) / 3


def test_a_line_at_an_angle_scores_less() -> None:
    # domain.md 4.13: the l1 length of a line at 45 degrees is sqrt(2) its l2 width.
    duplicated = full(np.tile(positions(8), (1, 2)), (8,))
    assert duplicated["flatness"] == pytest.approx(1 / math.sqrt(2))
    assert duplicated["flatness_l1"] == pytest.approx(1.0)
    assert duplicated["flatness_l2"] == pytest.approx(1.0)
    assert full(np.tile(positions(*SIZES), (1, 4)))["flatness"] == pytest.approx(1 / 2)


def test_a_cyclic_factor_is_treated_as_one_that_is_not() -> None:
    # Points on a circle: the width is the diameter, and one of the n equal chords is dropped.
    angles = 2 * np.pi * np.arange(12) / 12
    circle = full(np.stack([np.cos(angles), np.sin(angles)], axis=1), (12,))
    assert circle["flatness_l2"] == pytest.approx(2 / (11 * 2 * math.sin(math.pi / 12)), rel=1e-6)
    # A line begun anywhere and wrapped is as flat: the one long step is left out.
    rolled = np.roll(positions(12), 5, axis=0)
    assert full(rolled, (12,))["flatness"] == pytest.approx(1.0)


def test_uneven_steps_are_as_flat_and_steps_back_are_not() -> None:
    assert full(positions(6) ** 2, (6,))["flatness"] == pytest.approx(1.0)
    # 0 2 1 3: width 3; steps 2, 1, 2 and 3 round, which is dropped.
    back = np.array([[0.0], [2.0], [1.0], [3.0]])
    assert full(back, (4,))["flatness"] == pytest.approx(3 / 5)


def test_a_factor_of_two_positions_has_one_step() -> None:
    assert full(np.array([[0.0, 0.0], [3.0, 4.0]]), (2,)) == {
        "flatness": pytest.approx(5 / 7),
        "flatness_l1": 1.0,
        "flatness_l2": 1.0,
        "flatness_width_l1": 7.0,
        "flatness_width_l2": 5.0,
        "flatness_length_l1": 7.0,
        "flatness_length_l2": 5.0,
    }


def test_constant_codes_score_zero_and_a_factor_that_does_nothing_counts_zero() -> None:
    assert set(full(np.full((210, 4), 2.5)).values()) == {0.0}
    assert full(positions(*SIZES)[:, :2])["flatness"] == pytest.approx(2 / 3)


def test_the_means_of_widths_and_lengths_are_divided_and_not_the_ratios() -> None:
    # Along the first factor codes lie on a line, of length 9 or at 45 degrees of length 1 + 1.
    codes = np.zeros((3, 2, 2))
    codes[:, 0, 0] = [0, 4, 9]
    codes[:, 1] = [[0, 0], [0.5, 0.5], [1, 1]]
    table = CodeTable.checked(codes.reshape(6, 2), (3, 2))
    rows = draw_traversals(table, generator(0, "flatness"), 0, 1_024)
    share = np.mean(rows[:, 0] == 0)
    first = (9 * share + math.sqrt(2) * (1 - share)) / (9 * share + 2 * (1 - share))
    # The second: from (0, 0) to (0, 0), (4, 0) to (.5, .5), (9, 0) to (1, 1).
    scores = score("flatness", table, size="full", seed=0)
    second = (math.hypot(3.5, 0.5) + math.hypot(8, 1)) / (4 + 9)
    assert scores["flatness"] == pytest.approx((first + second) / 2, abs=0.01)


def test_noise_scores_low_and_fast_is_near_full() -> None:
    noise = np.random.default_rng(0).standard_normal((8**4, 6))
    table = CodeTable.checked(noise, (8, 8, 8, 8))
    fast, slow = (score("flatness", table, size=size, seed=0) for size in ("fast", "full"))
    assert slow["flatness"] < 0.15
    assert fast["flatness"] == pytest.approx(slow["flatness"], abs=0.01)
    assert METRICS["flatness"].sizes == {"fast": {"repeats": 128}, "full": {"repeats": 1_024}}
