from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grids.expand import Axis, Point, count, matches, merged, product, side_by_side

SEEDS: Axis = [{"seed": 0}, {"seed": 1}]
BETAS: Axis = [{"beta": 1.0}, {"beta": 4.0}]


def test_product_turns_the_last_axis_fastest() -> None:
    assert list(product([BETAS, SEEDS])) == [
        {"beta": 1.0, "seed": 0},
        {"beta": 1.0, "seed": 1},
        {"beta": 4.0, "seed": 0},
        {"beta": 4.0, "seed": 1},
    ]


def test_the_product_of_nothing_is_one_empty_point() -> None:
    assert list(product([])) == [{}]
    assert count([]) == 1


def axes() -> st.SearchStrategy[list[list[Point]]]:
    lengths = st.lists(st.integers(0, 4), max_size=4)
    return lengths.map(lambda ns: [[{str(i): j} for j in range(n)] for i, n in enumerate(ns)])


@given(axes())
def test_count_is_the_number_of_points(axes: list[list[Point]]) -> None:
    points = list(product(axes))
    assert count(axes) == len(points) == len({tuple(point.items()) for point in points})


def test_side_by_side_pairs_by_place() -> None:
    assert side_by_side([BETAS, SEEDS]) == [{"beta": 1.0, "seed": 0}, {"beta": 4.0, "seed": 1}]
    with pytest.raises(ValueError):
        side_by_side([BETAS, SEEDS[:1]])


DEFAULTS: Point = {"framework.name": "ada_gvae", "framework.k_rule": "uniform", "beta": 1.0}


def test_a_point_overrides_defaults_by_key() -> None:
    assert merged(DEFAULTS, {"beta": 4.0}) == DEFAULTS | {"beta": 4.0}
    assert merged(DEFAULTS, {}) == DEFAULTS


def test_another_name_starts_a_part_afresh() -> None:
    assert merged(DEFAULTS, {"framework.name": "beta_vae"}) == {
        "framework.name": "beta_vae",
        "beta": 1.0,
    }


def test_the_same_name_keeps_the_parameters() -> None:
    assert merged(DEFAULTS, {"framework.name": "ada_gvae"}) == DEFAULTS


def test_parameters_of_the_point_go_with_its_name() -> None:
    point = {"framework.averaging": "ml_vae", "framework.name": "other"}
    assert merged(DEFAULTS, point) == point | {"beta": 1.0}


def test_a_part_is_not_confused_with_one_whose_name_it_begins() -> None:
    defaults = {"model.name": "a", "model_b.size": 1}
    assert merged(defaults, {"model.name": "b"}) == {"model.name": "b", "model_b.size": 1}


def test_a_partial_matches_where_all_its_values_do() -> None:
    row = {"framework": "beta_vae", "seed": 0}
    assert matches(row, {"seed": 0})
    assert matches(row, {"seed": 0, "framework": "beta_vae"})
    assert not matches(row, {"seed": 1, "framework": "beta_vae"})
    assert not matches(row, {"framework.k_rule": None})
