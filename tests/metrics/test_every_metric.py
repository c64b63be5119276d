"""What holds for every metric, on tiny tables and votes: a new entry of METRICS is covered at once.

Sizes are those of `fast`, cut down to CAP: values are coarse here, and laws hold all the same.
"""

from __future__ import annotations

import functools
import math
import tracemalloc
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metrics import METRICS, SHAPES, function_of, metrics_for
from metrics.table import CodeTable
from metrics.votes import Votes

CAP = 200
SIZES = (3, 4, 5)
CELLS = math.prod(SIZES)
REPLICATES = 3
LARGEST = float(np.finfo(np.float32).max)

# Sixteen classifiers each, and scikit-learn's trees: their own tests look at them.
DEAR = ("beta_vae_fil", "beta_vae_fil_without_first", "dci_sklearn")


def marked(name: str, *values: str) -> Any:
    """A case, of which `make test` leaves out the dear ones."""
    return pytest.param(name, *values, marks=[pytest.mark.slow] if name in DEAR else [])


OF_TABLES = [marked(name) for name in metrics_for("table")]
OF_VOTES = metrics_for("votes")
IN_EITHER = [marked(name, shape) for shape in ("table", "votes") for name in metrics_for(shape)]

# How far a score may move when latents change signs, or places too, and why: 1e-9 for all others.
INEXACT: dict[str, dict[str, float]] = {
    # Of splits that are equally good the trees take that of the least code, whatever the latent's
    # place.
    "dci": {"signs": 0.03},
    "downstream": {"signs": 0.05},
    # Of classifiers that start from random weights, or choose latents at random.
    "dci_sklearn": {"order": 0.03, "signs": 0.03},
    "beta_vae_fil": {"order": 0.05, "signs": 0.05},
    "beta_vae_fil_without_first": {"order": 0.05, "signs": 0.05},
}
# Metrics whose value does not tell perfect codes from useless ones, and why.
UNORDERED: dict[str, str] = {
    "downstream": "of so few rows those of the test are among those learned from",
    "unsupervised": "codes that do not vary depend on nothing",
}


def tiny(name: str, data: CodeTable | Votes, seed: int = 0, cap: int = CAP) -> dict[str, float]:
    """The scores at the fast sizes, each at most `cap`."""
    metric = METRICS[name]
    sizes = {size: min(number, cap) for size, number in metric.sizes["fast"].items()}
    scores = function_of(name)(data, seed=seed, **sizes)
    assert tuple(scores) == metric.scores
    return scores


def table_of(codes: npt.NDArray[Any], sizes: tuple[int, ...] = SIZES) -> CodeTable:
    """With the variances of posteriors, for metrics that ask for them."""
    return CodeTable.checked(codes, sizes, np.full_like(codes, -2.0))


@functools.cache
def codes(kind: str) -> npt.NDArray[np.float32]:
    """float32 [R, N, 4], [R, N, 3] of the perfect ones."""
    rng = np.random.default_rng(0)
    positions = np.indices(SIZES).reshape(len(SIZES), -1).T / (np.array(SIZES) - 1.0)
    noise = rng.standard_normal((REPLICATES, CELLS, 4))
    made = {
        "perfect": np.tile(positions, (REPLICATES, 1, 1)),
        "useless": noise,
        "constant": np.full((REPLICATES, CELLS, 4), 2.5),
        # Noise keeps codes off the edges of bins, which belong to one of them.
        "mixed": positions @ (np.eye(3, 4) + 0.4 * rng.standard_normal((3, 4))) + 0.1 * noise,
    }
    return made[kind].astype(np.float32)


def given_data(
    shape: str, kind: str, order: Any = slice(None), signs: Any = 1
) -> CodeTable | Votes:
    """A code table or votes of codes of that kind, with the latents in `order` times `signs`."""
    changed = (codes(kind)[:, :, order] * np.float32(signs)).astype(np.float32)
    if shape == "table":
        return table_of(changed)
    # 24 votes a factor of 10 images: rows that share its position.
    rng = np.random.default_rng(1)
    positions = np.array(np.unravel_index(np.arange(CELLS), SIZES))
    labels = np.repeat(np.arange(len(SIZES)), 24)
    cells = [
        rng.choice(np.flatnonzero(positions[label] == rng.integers(SIZES[label])), size=10)
        for label in labels
    ]
    replicates = rng.integers(REPLICATES, size=(len(labels), 10))
    return Votes.checked(changed[replicates, np.array(cells)], labels)


@functools.cache
def scores_of(name: str, shape: str, kind: str) -> dict[str, float]:
    return tiny(name, given_data(shape, kind))


def assert_sound(name: str, scores: dict[str, float]) -> None:
    for key, value in scores.items():
        assert type(value) is float and math.isfinite(value), (key, value)
    low, high = METRICS[name].value_range
    assert low <= scores[METRICS[name].scores[0]] <= high


def test_names_of_scores_begin_with_their_metrics_and_never_collide() -> None:
    names = [score for metric in METRICS.values() for score in metric.scores]
    assert len(set(names)) == len(names)
    for name, metric in METRICS.items():
        assert metric.scores
        for score in metric.scores:
            assert score == name or score.startswith(f"{name}_")


@pytest.mark.parametrize("name", METRICS)
def test_an_entry_says_all_that_is_to_be_known(name: str) -> None:
    metric = METRICS[name]
    assert metric.version >= 1
    assert metric.citation and metric.summary and "\n" not in metric.citation + metric.summary
    assert metric.value_range[0] < metric.value_range[1]
    assert metric.shapes and metric.shapes <= set(SHAPES)
    assert set(metric.sizes) == {"fast", "full"}
    fast, full = metric.sizes["fast"], metric.sizes["full"]
    assert list(fast) == list(full)
    assert all(0 < fast[size] <= full[size] for size in fast)


@pytest.mark.parametrize(("name", "shape"), IN_EITHER)
@pytest.mark.parametrize("kind", ["perfect", "useless", "constant", "mixed"])
def test_scores_are_finite_and_in_their_range(name: str, shape: str, kind: str) -> None:
    assert_sound(name, scores_of(name, shape, kind))


@pytest.mark.parametrize(("name", "shape"), IN_EITHER)
def test_perfect_codes_are_better_than_useless_ones(name: str, shape: str) -> None:
    if name in UNORDERED:
        pytest.skip(UNORDERED[name])
    own, better = METRICS[name].scores[0], 1 if METRICS[name].higher_is_better else -1
    perfect = better * scores_of(name, shape, "perfect")[own]
    for kind in ("useless", "constant"):
        assert perfect > better * scores_of(name, shape, kind)[own]


@pytest.mark.parametrize(("name", "shape"), IN_EITHER)
def test_a_seed_gives_its_scores_again(name: str, shape: str) -> None:
    assert tiny(name, given_data(shape, "mixed")) == scores_of(name, shape, "mixed")


@pytest.mark.parametrize(("name", "shape"), IN_EITHER)
@pytest.mark.parametrize("change", ["order", "signs"])
def test_the_order_and_the_signs_of_latents_do_not_matter(
    name: str, shape: str, change: str
) -> None:
    order, signs = ([2, 0, 3, 1], 1) if change == "order" else (slice(None), [-1, 1, -1, -1])
    changed = tiny(name, given_data(shape, "mixed", order, signs))
    allowed = INEXACT.get(name, {}).get(change, 1e-9)
    assert changed == pytest.approx(scores_of(name, shape, "mixed"), abs=allowed)


@pytest.mark.parametrize("name", OF_TABLES)
def test_a_factor_with_one_position_changes_nothing(name: str) -> None:
    # dSprites is published with a colour that has one value.
    assert tiny(name, table_of(codes("mixed"), (1, 3, 4, 1, 5))) == pytest.approx(
        scores_of(name, "table", "mixed"), abs=1e-9
    )


@pytest.mark.parametrize("name", OF_TABLES)
def test_all_replicates_are_scored(name: str) -> None:
    # A single replicate that is unlike the others moves a score, wherever it stands.
    alike = np.stack([codes("mixed")[0]] * REPLICATES)
    expected = tiny(name, table_of(alike))
    for place in range(REPLICATES):
        changed = alike.copy()
        changed[place] = codes("useless")[0]
        assert tiny(name, table_of(changed)) != expected


@pytest.mark.parametrize("name", OF_TABLES)
@pytest.mark.parametrize("sizes", [(2,), (9,), (2, 2), (1, 2, 1)], ids=str)
@pytest.mark.parametrize("latents", [1, 3])
def test_small_tables_are_scored(name: str, sizes: tuple[int, ...], latents: int) -> None:
    # One factor, one latent, and always fewer cells than samples; and with constant codes.
    cells = math.prod(sizes)
    drawn = np.random.default_rng(0).standard_normal((1, cells, latents)).astype(np.float32)
    assert_sound(name, tiny(name, table_of(drawn, sizes), cap=50))
    assert_sound(name, tiny(name, table_of(np.zeros_like(drawn), sizes), cap=50))


@pytest.mark.parametrize("name", OF_VOTES)
def test_small_votes_are_scored(name: str) -> None:
    drawn = np.random.default_rng(0).standard_normal((4, 2, 1)).astype(np.float32)
    for labels in ([0, 0, 0, 0], [0, 1, 2, 3], [3, 3, 5, 5]):
        for images in (drawn, np.zeros_like(drawn)):
            for global_codes in (None, images[0]):
                votes = Votes.checked(images, np.array(labels), global_codes=global_codes)
                assert_sound(name, tiny(name, votes))


@pytest.mark.parametrize(("name", "shape"), IN_EITHER)
def test_the_extremes_of_float32_are_scored(name: str, shape: str) -> None:
    # Codes up to the largest float32, beside a constant one; and two neighbouring numbers.
    data = given_data(shape, "mixed")
    wide = data.codes / np.abs(data.codes).max() * np.float32(LARGEST)
    wide[..., 0] = LARGEST
    tight = np.nextafter(np.float32(1e30), np.float32(2e30)) * (data.codes > 0) + np.float32(1e30)
    for extreme in (wide, tight, np.full_like(wide, -LARGEST)):
        if isinstance(data, CodeTable):
            assert_sound(name, tiny(name, table_of(extreme), cap=50))
        else:
            assert_sound(name, tiny(name, Votes.checked(extreme, data.labels)))


BAD: dict[str, tuple[npt.NDArray[Any], tuple[int, ...], str]] = {
    "NaN": (np.full((6, 2), np.nan), (2, 3), "holds NaN, Inf"),
    "Inf": (np.full((6, 2), np.inf), (2, 3), "holds NaN, Inf"),
    "a wrong product": (np.zeros((6, 2)), (2, 4), "make 8"),
    "no factor that varies": (np.zeros((1, 2)), (1, 1), "at least one above 1"),
    "too many latents": (np.zeros((6, 1_001)), (2, 3), "valid: 1 to 1,000"),
}


@pytest.mark.parametrize("bad", BAD)
def test_bad_codes_never_reach_a_metric(bad: str) -> None:
    wrong, sizes, message = BAD[bad]
    with pytest.raises(ValueError, match=message):
        CodeTable.checked(wrong, sizes)
    if sizes == (2, 3):
        with pytest.raises(ValueError, match=message):
            Votes.checked(wrong.reshape(2, 3, -1), np.array([0, 1]))


@st.composite
def tables(draw: st.DrawFn) -> CodeTable:
    sizes = draw(st.lists(st.integers(1, 4), min_size=1, max_size=3).filter(lambda s: max(s) > 1))
    shape = (draw(st.integers(1, 3)), math.prod(sizes), draw(st.integers(1, 4)))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    drawn = rng.standard_normal(shape) * 10.0 ** draw(st.integers(-6, 6))
    decimals = draw(st.integers(-2, 8))  # coarse rounding makes ties and constant codes
    return table_of(np.round(drawn, decimals), tuple(sizes))


@pytest.mark.parametrize("name", OF_TABLES)
@settings(max_examples=10)
@given(table=tables(), seed=st.integers(0, 2**64))
def test_any_table_is_scored(name: str, table: CodeTable, seed: int) -> None:
    assert_sound(name, tiny(name, table, seed, cap=30))


@functools.cache
def large_table() -> CodeTable:
    """Of 31 MiB."""
    drawn = np.random.default_rng(0).standard_normal((3, 262_144, 10), dtype=np.float32)
    return CodeTable(drawn, (8,) * 6, drawn)


@pytest.mark.parametrize("name", OF_TABLES)
def test_scoring_never_copies_the_table(name: str) -> None:
    table = large_table()
    tracemalloc.start()
    tiny(name, table)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < table.codes.nbytes / 2


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[pytest.mark.slow] if name in (*DEAR, "downstream") else [])
        for name in metrics_for("table")
    ],
)
def test_sampled_scores_are_those_of_a_new_draw_for_every_row(name: str) -> None:
    """Of a small grid, whose cells all come up often: against a table of 300 draws of each."""
    rng = np.random.default_rng(0)
    mean = codes("mixed")[:1].astype(np.float32)
    logvar = np.full_like(mean, -1.0)
    sampled = CodeTable(mean, SIZES, logvar, sampled=True)
    noise = rng.standard_normal((300, *mean.shape[1:]), dtype=np.float32)
    drawn = CodeTable(mean + np.exp(-0.5, dtype=np.float32) * noise, SIZES)
    found = [
        np.array([list(tiny(name, table, seed, cap=10**9).values()) for seed in range(3)])
        for table in (sampled, drawn)
    ]
    spread = np.sqrt(sum(values.var(axis=0, ddof=1) / 3 for values in found))
    apart = np.abs(found[0].mean(axis=0) - found[1].mean(axis=0))
    assert np.all(apart <= 5 * spread + 0.02 * np.abs(found[1].mean(axis=0)) + 0.005)
