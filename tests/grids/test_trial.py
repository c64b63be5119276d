from __future__ import annotations

import dataclasses
import json
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grids.columns import COLUMN_TYPES, column_types
from grids.configuration import PARTS, canonical_json
from grids.datasets import DATASETS
from grids.fields import FieldError
from grids.parts import MSE, AdaGVAE, Adam, Bernoulli, BetaVAE, Conv64, Conv64Disent, XYSquares
from grids.trial import CODE_EPOCH, Trial

NAMES = ", ".join(DATASETS)


def trial(**changes: Any) -> Trial:
    values: dict[str, Any] = {
        "dataset": XYSquares(),
        "framework": BetaVAE(),
        "beta": 1.0,
        "model": Conv64(),
        "latents": 9,
        "steps": 1200,
    }
    return Trial(**(values | changes))


def any_trial() -> st.SearchStrategy[Trial]:
    datasets = st.builds(
        XYSquares,
        spacing=st.integers(1, 56),
        grid_size=st.none() | st.integers(2, 64),
        rgb=st.booleans(),
        standardise=st.booleans(),
    )
    ratios = st.floats(0, 1)
    frameworks = (
        st.builds(BetaVAE)
        | st.builds(
            AdaGVAE,
            averaging=st.sampled_from(["gvae", "ml_vae"]),
            k_rule=st.sampled_from(["orig", "uniform"]),
            threshold_ratio=ratios,
        )
        | st.builds(AdaGVAE, k_rule=st.just("fixed"), k=st.integers(1, 6), threshold_ratio=ratios)
    )
    return st.builds(
        Trial,
        dataset=datasets,
        framework=frameworks,
        beta=st.floats(0, 1e6),
        beta_convention=st.sampled_from(["mean", "sum"]),
        model=st.sampled_from([Conv64(), Conv64Disent()]),
        latents=st.integers(1, 1000),
        optimizer=st.builds(Adam, lr=st.floats(1e-6, 1)),
        steps=st.integers(1, 10**6),
        seed=st.integers(0, 2**63 - 1),
    )


# Golden ids. They name results on disk: a change here orphans every finished study, and has to
# come with a reason. Computed by this code under Python 3.11, the same under 3.12 and 3.13.
@pytest.mark.parametrize(
    ("changes", "trial_id"),
    [
        ({}, "b7e08f978a163d12"),
        ({"beta": 1e-3, "seed": 1}, "d9889172c87fce7c"),
        ({"dataset": XYSquares(spacing=3, grid_size=None, standardise=True)}, "ffc8eadbe93d4a63"),
        ({"framework": AdaGVAE(k_rule="fixed", k=2), "precision": "bf16"}, "119e68e06a90fa38"),
        ({"optimizer": Adam(lr=1e-4), "beta_convention": "sum", "latents": 10}, "29271ff490636520"),
    ],
)
def test_golden_ids(changes: dict[str, Any], trial_id: str) -> None:
    assert trial(**changes).trial_id == trial_id


def test_the_code_epoch_is_pinned_with_the_golden_ids() -> None:
    assert CODE_EPOCH == 1


def test_every_default_of_a_trial_is_pinned() -> None:
    defaults = {
        field.name: field.default
        for field in dataclasses.fields(Trial)
        if field.default is not dataclasses.MISSING
    }
    assert defaults == {
        "beta": None,
        "beta_convention": "mean",
        "reconstruction": MSE(),
        "optimizer": Adam(),
        "batch_size": 64,
        "precision": "fp32",
        "seed": 0,
    }


def test_a_field_added_with_a_neutral_default_moves_no_id() -> None:
    @dataclasses.dataclass(frozen=True, kw_only=True)
    class LaterTrial(Trial):
        warm_up: str = "none"

    values = {field.name: getattr(trial(), field.name) for field in dataclasses.fields(Trial)}
    assert LaterTrial(**values).trial_id == trial().trial_id
    assert LaterTrial(**values, warm_up="linear").trial_id != trial().trial_id


def test_an_int_for_a_float_is_the_same_trial() -> None:
    assert trial(beta=1) == trial(beta=1.0)
    assert trial(beta=1).trial_id == trial(beta=1.0).trial_id
    assert trial(beta=-0.0).trial_id == trial(beta=0).trial_id
    assert type(trial(beta=1).beta) is float


@given(any_trial())
def test_dict_round_trip(made: Trial) -> None:
    assert Trial.from_dict(made.to_dict()) == made
    through_json = Trial.from_dict(json.loads(canonical_json(made.to_dict())))
    assert through_json == made
    assert through_json.trial_id == made.trial_id


@given(any_trial(), st.randoms(use_true_random=False))
def test_the_order_of_keys_is_irrelevant(made: Trial, rng: random.Random) -> None:
    def shuffled(values: dict[str, Any]) -> dict[str, Any]:
        keys = list(values)
        rng.shuffle(keys)
        return {
            key: shuffled(values[key]) if isinstance(values[key], dict) else values[key]
            for key in keys
        }

    assert Trial.from_dict(shuffled(made.to_dict())).trial_id == made.trial_id
    assert canonical_json(shuffled(made.to_dict())) == canonical_json(made.to_dict())


@given(st.lists(any_trial(), min_size=2, max_size=10))
def test_ids_are_distinct_for_distinct_trials(trials: list[Trial]) -> None:
    assert len({made.trial_id for made in trials}) == len(set(trials))


def test_each_field_moves_the_id() -> None:
    others: dict[str, Any] = {
        "dataset": XYSquares(rgb=False),
        "framework": AdaGVAE(),
        "beta": 2.0,
        "beta_convention": "sum",
        "model": Conv64Disent(),
        "latents": 10,
        "reconstruction": PARTS["reconstruction"]["bernoulli"](),
        "optimizer": Adam(eps=1e-7),
        "steps": 1,
        "batch_size": 1,
        "precision": "tf32",
        "seed": 1,
    }
    assert list(others) == [field.name for field in dataclasses.fields(Trial)]
    ids = {trial(**{name: value}).trial_id for name, value in others.items()}
    assert len(ids | {trial().trial_id}) == len(others) + 1


def test_a_bare_name_is_a_part_with_its_defaults() -> None:
    values = {"dataset": "xysquares", "framework": "ada_gvae", "beta": 1, "model": "conv64"}
    made = Trial.from_dict(values | {"latents": 9, "steps": 1200})
    assert made == trial(framework=AdaGVAE())


def test_canonical_json_has_one_spelling() -> None:
    assert canonical_json({"b": 1e-3, "a": [1, None, True]}) == '{"a":[1,null,true],"b":0.001}'
    assert canonical_json(0.1 + 0.2) == "0.30000000000000004"
    with pytest.raises(ValueError):
        canonical_json(float("nan"))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"latents": 0}, "latents is 0; valid: an integer of at least 1 and at most 1000"),
        ({"latents": 1.0}, "latents is 1.0; valid: an integer of at least 1 and at most 1000"),
        ({"latents": True}, "latents is true; valid: an integer of at least 1 and at most 1000"),
        ({"beta": float("nan")}, "beta is nan; valid: a number of at least 0, or null"),
        ({"beta": float("inf")}, "beta is inf; valid: a number of at least 0, or null"),
        ({"beta": -1}, "beta is -1; valid: a number of at least 0, or null"),
        ({"beta": "1"}, "beta is '1'; valid: a number of at least 0, or null"),
        ({"beta": None}, "beta is missing; valid: a number, as beta_vae has one"),
        ({"precision": "fp16"}, "precision is 'fp16'; did you mean bf16? valid: fp32, tf32, bf16"),
        ({"seed": -1}, "seed is -1; valid: an integer of at least 0"),
        (
            {"seed": 10**5000},
            "seed is an integer beyond 64 bits; valid: an integer of at least 0",
        ),
        ({"model": "conv64"}, "model is 'conv64'; valid: conv64, conv64_disent"),
        (
            {"dataset": XYSquares(image_size=32)},
            "model is conv64, for images of side 64, while those of xysquares have 32; "
            "valid: equal sides",
        ),
        (
            {"reconstruction": Bernoulli(), "dataset": XYSquares(standardise=True)},
            "reconstruction is bernoulli, whose targets are in [0, 1], and dataset.standardise is "
            "true; valid: mse, or standardise: false",
        ),
        (
            {"framework": AdaGVAE(k_rule="fixed", k=7)},
            "framework.k is 7; valid: at most 6, the number of factors of xysquares",
        ),
    ],
)
def test_a_wrong_trial_says_what_is_valid(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError) as caught:
        trial(**changes)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("values", "field", "message"),
    [
        ({"latens": 9}, "latens", "latens is not a field of a trial; did you mean latents? valid:"),
        ({"latents": None}, "latents", "latents is null; valid: an integer"),
        ({"dataset": {"spacing": 3}}, "dataset", f"dataset has no name; valid: {NAMES}"),
        ({"dataset": 3}, "dataset", f"dataset is 3; valid: {NAMES}"),
        (
            {"dataset": {"name": "xysquares", "spacing": "3"}},
            "dataset.spacing",
            "dataset.spacing is '3'; valid: an integer of at least 1",
        ),
        (
            {"framework": {"name": "beta_vae", "k": 1}},
            "framework.k",
            "framework.k is not a parameter of beta_vae (but of ada_gvae); valid: none",
        ),
    ],
)
def test_from_dict_names_the_field(values: dict[str, Any], field: str, message: str) -> None:
    with pytest.raises(FieldError) as caught:
        Trial.from_dict(trial().to_dict() | values)
    assert caught.value.field == field
    assert str(caught.value).startswith(message)


def test_from_dict_names_all_that_is_missing_in_one_line() -> None:
    with pytest.raises(FieldError) as caught:
        Trial.from_dict({"dataset": "xysquares", "beta": 1.0, "framework": "beta_vae"})
    assert str(caught.value) == (
        "model is missing; valid: conv64, conv64_disent; missing too: latents, steps"
    )


def test_from_dict_names_what_is_missing() -> None:
    values = trial().to_dict()
    del values["latents"]
    with pytest.raises(FieldError, match="^latents is missing; valid: an integer of at least 1 "):
        Trial.from_dict(values)


def test_a_list_in_place_of_a_value_is_refused() -> None:
    with pytest.raises(FieldError, match="^framework is \\['beta_vae'\\]; "):
        Trial.from_dict(trial().to_dict() | {"framework": ["beta_vae"]})


@given(any_trial())
def test_columns_are_among_the_declared_with_their_types(made: Trial) -> None:
    row = made.columns()
    assert set(row) <= set(COLUMN_TYPES)
    for name, value in row.items():
        assert value is None or type(value) is COLUMN_TYPES[name]


def test_columns_are_one_a_parameter() -> None:
    row = trial(framework=AdaGVAE(), beta=1e-3).columns()
    assert row["dataset"] == "xysquares" and row["dataset.spacing"] == 8
    assert row["framework"] == "ada_gvae" and row["framework.k"] is None
    assert row["optimizer.lr"] == 1e-3 and row["seed"] == 0


def test_column_types_cover_every_part() -> None:
    assert list(COLUMN_TYPES)[0] == "dataset" and COLUMN_TYPES["dataset.spacing"] is int
    assert COLUMN_TYPES["framework.k"] is int and COLUMN_TYPES["framework.k_rule"] is str
    assert COLUMN_TYPES["beta_sum"] is float and COLUMN_TYPES["dataset.rgb"] is bool


def test_two_parts_may_share_a_column_only_with_one_type() -> None:
    @dataclasses.dataclass(frozen=True, kw_only=True)
    class Other:
        spacing: float = 1.0

    with pytest.raises(TypeError, match="dataset.spacing is int in one part and float in Other"):
        column_types(PARTS | {"dataset": {"xysquares": XYSquares, "other": Other}})


# Michlo's grid in sum form: beta_sum = beta_mean * N / Z (N / Z = 1365.333 for 3 channels, 9
# latents; 491.52 for 25; 455.111 and 163.84 for 1 channel).
@pytest.mark.parametrize(
    ("beta", "rgb", "latents", "beta_sum"),
    [(0.0001, True, 9, 0.1365), (0.0316, True, 25, 15.532), (1.0, False, 9, 455.111)],
)
def test_beta_in_both_conventions(beta: float, rgb: bool, latents: int, beta_sum: float) -> None:
    dataset = XYSquares(rgb=rgb)
    row = trial(beta=beta, dataset=dataset, latents=latents).columns()
    assert row["beta_sum"] == pytest.approx(beta_sum, rel=5e-4)
    assert row["beta_mean"] == beta
    summed = trial(beta=row["beta_sum"], beta_convention="sum", dataset=dataset, latents=latents)
    assert summed.columns()["beta_mean"] == pytest.approx(beta)
    assert summed.columns()["beta_sum"] == row["beta_sum"]
