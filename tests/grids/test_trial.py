from __future__ import annotations

import dataclasses
import hashlib
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
from grids.measurement import Measurement
from grids.parts import (
    DIPVAEI,
    ICA,
    MODELS,
    MSE,
    PCA,
    VAE,
    Adagrad,
    AdaGVAE,
    Adam,
    AdaMLVAE,
    AnnealedVAE,
    Bernoulli,
    BetaTCVAE,
    BetaVAE,
    CapacityVAE,
    ConstantSchedule,
    Conv64,
    Conv64Disent,
    ConvBurgess,
    FactorVAE,
    Framework,
    Gaussian,
    LinearModel,
    LinearSchedule,
    MLPHiggins,
    StepSchedule,
    XYColumns,
    XYSquares,
)
from grids.trial import CODE_EPOCH, LARGEST_EPOCH, Trial

NAMES = ", ".join(DATASETS)
MODEL_NAMES = ", ".join(MODELS)


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


def without_beta(framework: Framework, **changes: Any) -> Trial:
    return trial(**({"framework": framework, "beta": None, "steps": 200_000} | changes))


def baseline(framework: Framework | None = None, **changes: Any) -> Trial:
    values: dict[str, Any] = {"model": LinearModel(), "steps": 1, "batch_size": 2500}
    return without_beta(framework or PCA(), **(values | changes))


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
            averaging=st.sampled_from(["gvae", "gvae_std"]),
            k_rule=st.sampled_from(["orig", "uniform"]),
            threshold_ratio=ratios,
        )
        | st.builds(AdaGVAE, k_rule=st.just("fixed"), k=st.integers(1, 6), threshold_ratio=ratios)
        | st.builds(AdaMLVAE, threshold_ratio=ratios)
    )
    schedules = (
        st.builds(ConstantSchedule)
        | st.builds(StepSchedule, factor=ratios, at=st.floats(0.1, 0.9))
        | st.builds(LinearSchedule, start=ratios.filter(lambda start: start < 1))
    )
    return st.builds(
        Trial,
        dataset=datasets,
        framework=frameworks,
        beta=st.floats(0, 1e6),
        beta_convention=st.sampled_from(["mean", "sum"]),
        beta_schedule=schedules,
        model=st.sampled_from([Conv64(), Conv64Disent(), MLPHiggins()]),
        latents=st.integers(1, 256),
        optimizer=st.builds(Adam, lr=st.floats(1e-6, 1))
        | st.builds(Adagrad, lr=st.floats(1e-6, 1)),
        lr_schedule=schedules,
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
        "beta_schedule": ConstantSchedule(),
        "reconstruction": MSE(),
        "optimizer": Adam(),
        "lr_schedule": ConstantSchedule(),
        "batch_size": 64,
        "sampling": "with_replacement",
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


@given(any_trial())
def test_the_id_is_the_digest_of_the_canonical_json_of_what_is_no_default(made: Trial) -> None:
    def differing(given: Any) -> dict[str, Any]:
        return {
            field.name: {"name": value.name} | differing(value) if field.name in PARTS else value
            for field in dataclasses.fields(given)
            if (value := getattr(given, field.name)) != field.default
        }

    measured = Measurement(dataset=XYSquares(spacing=made.seed % 8 + 1), pairs=made.steps)
    for each in (made, measured):
        identity = {"code_epoch": each.epoch, each.kind: differing(each)}
        text = json.dumps(identity, sort_keys=True, separators=(",", ":"))
        assert each.trial_id == hashlib.sha256(text.encode()).hexdigest()[:16]


@given(any_trial(), any_trial(), st.integers(0, 2**63 - 1))
def test_a_cell_is_of_trials_that_are_alike_but_for_their_seeds(
    made: Trial, other: Trial, seed: int
) -> None:
    assert dataclasses.replace(made, seed=seed).cell == made.cell
    alike = dataclasses.replace(other, seed=made.seed) == made
    assert (other.cell == made.cell) is alike


@given(st.lists(any_trial(), min_size=2, max_size=10))
def test_ids_are_distinct_for_distinct_trials(trials: list[Trial]) -> None:
    assert len({made.trial_id for made in trials}) == len(set(trials))


def test_each_field_moves_the_id() -> None:
    others: dict[str, Any] = {
        "dataset": XYSquares(rgb=False),
        "framework": AdaGVAE(),
        "beta": 2.0,
        "beta_convention": "sum",
        "beta_schedule": LinearSchedule(),
        "model": Conv64Disent(),
        "latents": 10,
        "reconstruction": PARTS["reconstruction"]["bernoulli"](),
        "optimizer": Adam(eps=1e-7),
        "lr_schedule": StepSchedule(),
        "steps": 1,
        "batch_size": 1,
        "sampling": "without_replacement",
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
        ({"model": "conv64"}, f"model is 'conv64'; valid: {MODEL_NAMES}"),
        (
            {"lr_schedule": MSE()},
            "lr_schedule is MSE(activation='linear'); valid: constant, step, linear",
        ),
        (
            {"dataset": XYSquares(image_size=32)},
            "model is conv64, for images of side 64, while those of xysquares are 32x32; "
            "valid: equal sides",
        ),
        (
            {"dataset": XYSquares(image_size=48), "model": ConvBurgess()},
            "model is conv_burgess, for images of side 32 or 64, while those of xysquares are "
            "48x48; valid: equal sides",
        ),
        ({"latents": 257}, "latents is 257; valid: at most 256, as model is conv64"),
        (
            {
                "model": LinearModel(),
                "latents": 257,
                "dataset": XYSquares(image_size=16, rgb=False),
            },
            "latents is 257; valid: at most 256, as model is linear",
        ),
        (
            {"reconstruction": Bernoulli(), "dataset": XYSquares(standardise=True)},
            "reconstruction is bernoulli, whose targets are in [0, 1], and dataset.standardise is "
            "true; valid: standardise: false, or mse with a linear output",
        ),
        (
            {
                "reconstruction": Gaussian(activation="sigmoid"),
                "dataset": XYSquares(standardise=True),
            },
            "reconstruction is gaussian with a sigmoid, whose targets are in [0, 1], and "
            "dataset.standardise is true; valid: standardise: false, or mse with a linear output",
        ),
        (
            {"framework": VAE()},
            "beta is 1.0; valid: null, its default, as vae has no beta (a case may set it)",
        ),
        (
            {"framework": VAE(), "beta": None, "beta_convention": "sum"},
            "beta_convention is sum; valid: mean, its default, "
            "as vae has no beta (a case may set it)",
        ),
        (
            {"framework": VAE(), "beta": None, "beta_schedule": LinearSchedule()},
            "beta_schedule is linear; valid: constant, its default, "
            "as vae has no beta (a case may set it)",
        ),
        (
            {"framework": AnnealedVAE(anneal_steps=10)},
            "beta is 1.0; valid: null, its default, "
            "as annealed_vae has no beta (a case may set it)",
        ),
        (
            {"framework": BetaTCVAE()},
            "beta_convention is mean; valid: sum, as framework is beta_tc_vae",
        ),
        (
            {"framework": AdaMLVAE(), "beta": None},
            "beta is missing; valid: a number, as ada_ml_vae has one",
        ),
        (
            {"framework": AdaGVAE(), "dataset": DATASETS["cifar10"](), "model": ConvBurgess()},
            "framework is ada_gvae, whose pairs share factors, and cifar10 has 0; "
            "valid: a dataset of at least 2 factors",
        ),
        (
            {"framework": AdaMLVAE(), "dataset": DATASETS["song1"]()},
            "framework is ada_ml_vae, whose pairs share factors, and song1 has 0; "
            "valid: a dataset of at least 2 factors",
        ),
        (
            {"framework": AdaMLVAE(k_rule="fixed", k=4), "dataset": XYColumns()},
            "framework.k is 4; valid: at most 3, the number of factors of xycolumns",
        ),
        (
            {"lr_schedule": LinearSchedule(steps=1201)},
            "lr_schedule.steps is 1201; valid: at most 1200, the steps of the training",
        ),
        (
            {"beta_schedule": LinearSchedule(steps=1201)},
            "beta_schedule.steps is 1201; valid: at most 1200, the steps of the training",
        ),
        (
            {"framework": AdaGVAE(k_rule="fixed", k=7)},
            "framework.k is 7; valid: at most 6, the number of factors of xysquares",
        ),
        (
            {"framework": FactorVAE(), "beta": None, "latents": 1},
            "latents is 1; valid: at least 2, which factor_vae compares",
        ),
        (
            {"framework": FactorVAE(permutation="halves"), "beta": None, "batch_size": 2},
            "batch_size is 2; valid: at least 4, for what factor_vae estimates from a batch",
        ),
        (
            {"framework": DIPVAEI(), "beta": None, "batch_size": 1},
            "batch_size is 1; valid: at least 2, for what dip_vae_i estimates from a batch",
        ),
        (
            {
                "framework": BetaTCVAE(estimator="stratified"),
                "beta_convention": "sum",
                "dataset": XYSquares(grid_size=2),
                "batch_size": 65,
            },
            "batch_size is 65; valid: at most 64, the images of xysquares, as "
            "framework.estimator is stratified",
        ),
    ],
)
def test_a_wrong_trial_says_what_is_valid(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(FieldError) as caught:
        trial(**changes)
    assert str(caught.value) == message


SMALL = XYSquares(grid_size=2)  # 2^6 images


@pytest.mark.parametrize(
    ("framework", "changes", "message"),
    [
        (
            AnnealedVAE(),
            {"steps": 99_999},
            "framework.anneal_steps is 100000; valid: at most 99999, the steps of the training",
        ),
        (
            CapacityVAE(anneal_steps=11),
            {"steps": 10},
            "framework.anneal_steps is 11; valid: at most 10, the steps of the training",
        ),
        (
            FactorVAE(permutation="halves"),
            {"batch_size": 63},
            "batch_size is 63; valid: a multiple of 2, as framework.permutation is halves",
        ),
        (
            VAE(),
            {"sampling": "without_replacement", "dataset": SMALL, "batch_size": 65},
            "sampling is without_replacement, of 64 images of xysquares, and a step takes 65; "
            "valid: with_replacement, or a smaller batch_size",
        ),
        (
            FactorVAE(permutation="second_batch"),
            {"sampling": "without_replacement", "dataset": SMALL, "batch_size": 33},
            "sampling is without_replacement, of 64 images of xysquares, and a step takes 66; "
            "valid: with_replacement, or a smaller batch_size",
        ),
        (
            VAE(),
            {
                "sampling": "without_replacement",
                "dataset": XYSquares(spacing=2, grid_size=None),
            },
            "sampling is without_replacement, of 594823321 images of xysquares; "
            f"valid: with_replacement, beyond {LARGEST_EPOCH} images",
        ),
        (
            VAE(),
            {"sampling": "without"},
            "sampling is 'without'; valid: with_replacement, without_replacement",
        ),
    ],
)
def test_a_wrong_batch_or_schedule_of_a_framework_without_beta(
    framework: Framework, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(FieldError) as caught:
        without_beta(framework, **changes)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("framework", "changes"),
    [
        (AnnealedVAE(), {"steps": 100_000}),
        (FactorVAE(permutation="halves"), {"batch_size": 62}),
        (FactorVAE(), {"batch_size": 63}),
        (VAE(), {"sampling": "without_replacement", "dataset": SMALL, "batch_size": 64}),
        (
            FactorVAE(permutation="second_batch"),
            {"sampling": "without_replacement", "dataset": SMALL, "batch_size": 32},
        ),
        (VAE(), {"lr_schedule": LinearSchedule(steps=10), "steps": 10}),
        (VAE(), {"model": MLPHiggins(), "latents": 1000, "dataset": XYSquares(image_size=20)}),
        (VAE(), {"model": ConvBurgess(), "dataset": DATASETS["cifar10"]()}),
        (VAE(), {"model": ConvBurgess(), "dataset": XYSquares(image_size=32), "latents": 256}),
    ],
)
def test_the_largest_that_is_valid_is_taken(framework: Framework, changes: dict[str, Any]) -> None:
    made = without_beta(framework, **changes)
    assert Trial.from_dict(made.to_dict()).trial_id == made.trial_id
    assert (made.beta_sum, made.beta_mean) == (None, None)


@pytest.mark.parametrize("name", ["pca", "ica"])
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model": Conv64()}, "model is conv64; valid: linear, as {name} is"),
        ({"steps": 2}, "steps is 2; valid: 1, as {name} is fitted once, to one batch"),
        (
            {"latents": 10, "batch_size": 10},
            "latents is 10; valid: below batch_size, as the 10 images that {name} is fitted to "
            "differ from their mean in one direction less",
        ),
        (
            {"reconstruction": Bernoulli()},
            "reconstruction is bernoulli; valid: mse, its default, "
            "as {name} is not trained by gradients (a case may set it)",
        ),
        (
            {"optimizer": Adagrad()},
            "optimizer is adagrad; valid: adam, its default, "
            "as {name} is not trained by gradients (a case may set it)",
        ),
        (
            {"optimizer": Adam(lr=1e-4)},
            "optimizer is {{name: adam, lr: 0.0001}}; valid: {{name: adam, lr: 0.001}}, its "
            "default, as {name} is not trained by gradients (a case may set it)",
        ),
        (
            {"lr_schedule": StepSchedule()},
            "lr_schedule is step; valid: constant, its default, "
            "as {name} is not trained by gradients (a case may set it)",
        ),
        (
            {"precision": "bf16"},
            "precision is bf16; valid: fp32, its default, "
            "as {name} is not trained by gradients (a case may set it)",
        ),
        (
            {"beta": 4.0},
            "beta is 4.0; valid: null, its default, as {name} has no beta (a case may set it)",
        ),
    ],
)
def test_a_baseline_takes_only_what_it_uses(
    name: str, changes: dict[str, Any], message: str
) -> None:
    framework = {"pca": PCA(), "ica": ICA()}[name]
    assert baseline(framework).framework == framework
    with pytest.raises(FieldError) as caught:
        baseline(framework, **changes)
    assert str(caught.value) == message.format(name=name)


def test_images_are_counted_with_their_nuisance_unless_it_is_random_numbers() -> None:
    assert trial().images == 8**6
    assert trial(dataset=DATASETS["smallnorb"]()).images == 48_600
    assert trial(dataset=DATASETS["color_dsprites"]()).images == 737_280
    cifar = trial(dataset=DATASETS["cifar10"](), model=ConvBurgess())
    assert cifar.images == 50_000


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
            "framework.k is not a parameter of beta_vae (but of ada_gvae, ada_ml_vae); valid: none",
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
        f"model is missing; valid: {MODEL_NAMES}; missing too: latents, steps"
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


def test_a_framework_without_beta_has_no_convention_in_the_tables() -> None:
    assert trial(framework=VAE(), beta=None).columns()["beta_convention"] is None
    assert trial().columns()["beta_convention"] == "mean"
