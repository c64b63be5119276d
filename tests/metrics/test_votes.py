from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import metrics
from metrics.table import CodeTable
from metrics.votes import Votes

Array = np.ndarray[Any, Any]

CODES = np.random.default_rng(0).standard_normal((4, 3, 2)).astype(np.float32)
LABELS = np.array([0, 1, 1, 2])


def test_arrays_from_elsewhere_become_float32_and_int64() -> None:
    votes = Votes.checked(
        CODES.astype(">f8"), LABELS.astype(np.uint8), global_codes=CODES[0].astype(np.float16)
    )
    assert votes.codes.dtype == np.float32 and votes.labels.dtype == np.int64
    assert votes.global_codes is not None and votes.global_codes.dtype == np.float32
    np.testing.assert_array_equal(votes.codes, CODES)
    assert votes.factors == 3
    assert Votes.checked(CODES, LABELS, factors=7).factors == 7


def test_the_rows_are_a_view_and_float32_is_not_copied() -> None:
    votes = Votes.checked(CODES, LABELS)
    assert np.shares_memory(votes.codes, CODES) and np.shares_memory(votes.rows, CODES)
    np.testing.assert_array_equal(votes.rows[5], CODES[1, 2])


def with_value(value: float) -> Array:
    codes = np.zeros((4, 3, 2))
    codes[3, 1, 0] = value
    return codes


@pytest.mark.parametrize(
    ("codes", "labels", "message"),
    [
        (with_value(np.nan), LABELS, "votes holds NaN, Inf or a number too large for float32"),
        (with_value(np.inf), LABELS, "votes holds NaN, Inf"),
        (with_value(1e39), LABELS, "a number too large for float32"),
        (CODES[0], LABELS, r"votes has 2 dimensions; valid: \[V, I, Z\]"),
        (CODES[None], LABELS, "votes has 4 dimensions"),
        (CODES[:0], LABELS[:0], "votes has 0 votes of 3 images; valid: 1 or more of 2 or more"),
        (CODES[:, :1], LABELS, "votes has 4 votes of 1 images"),
        (CODES[:, :, :0], LABELS, "votes has 0 latents; valid: 1 to 1,000"),
        (np.zeros((4, 3, 1_001)), LABELS, "votes has 1001 latents; valid: 1 to 1,000"),
        (CODES.astype(int), LABELS, "votes has dtype int64; valid: floats"),
        (CODES.astype(object), LABELS, "votes has dtype object; valid: floats"),
        (CODES, LABELS * 1.0, "labels has dtype float64; valid: integers"),
        (CODES, LABELS > 0, "labels has dtype bool; valid: integers"),
        (CODES, LABELS[:3], r"labels has shape \[3\]; valid: \[4\], a label a vote"),
        (CODES, LABELS[:, None], r"labels has shape \[4, 1\]"),
        (CODES, LABELS - 1, "labels holds -1 to 1; valid: 0 to 1, the factors"),
        (CODES, LABELS + 99, "labels holds 101; valid: 0 to 99, the factors"),
        (CODES, LABELS.astype(np.uint64) + 2**63, "labels holds 9223372036854775810; valid"),
    ],
)
def test_votes_that_are_wrong_are_refused_in_one_line(
    codes: Array, labels: Array, message: str
) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        Votes.checked(codes, labels)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("codes", "message"),
    [
        (CODES, r"codes has shape \[4, 3, 2\]; valid: \[G, 2\], G of 2 or more, beside votes"),
        (CODES[0, :1], r"codes has shape \[1, 2\]"),
        (CODES[0, :, :1], r"codes has shape \[3, 1\]"),
        (CODES[0] * np.nan, "codes holds NaN"),
        (CODES[0].astype(int), "codes has dtype int64; valid: floats"),
    ],
)
def test_global_codes_that_are_wrong_are_refused(codes: Array, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Votes.checked(CODES, LABELS, global_codes=codes)


def test_the_class_itself_takes_only_what_it_says() -> None:
    with pytest.raises(ValueError, match="votes is float64 with 3 dimensions; valid: float32"):
        Votes(CODES.astype(np.float64), LABELS, 3)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="labels is int32; valid: int64"):
        Votes(CODES, LABELS.astype(np.int32), 3)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="labels holds 0 to 2; valid: 0 to 1"):
        Votes(CODES, LABELS, 2)
    for factors in (0, 101):
        with pytest.raises(ValueError, match=f"there are {factors} factors; valid: 1 to 100"):
            Votes(CODES, LABELS, factors)


def test_a_metric_says_which_shapes_it_takes() -> None:
    votes = Votes.checked(CODES, LABELS)
    with pytest.raises(ValueError) as caught:
        metrics.score("mig", votes, size="full", seed=0)
    message = str(caught.value)
    assert message.startswith("metric mig takes a code table, not votes; valid for votes: ")
    assert message.endswith(", ".join(metrics.metrics_for("votes")))
    table = CodeTable.checked(np.zeros((6, 2)), (2, 3))
    assert metrics.shape_of(votes) == "votes" and metrics.shape_of(table) == "table"


def test_a_metric_of_votes_alone_refuses_a_code_table(monkeypatch: pytest.MonkeyPatch) -> None:
    of_votes = metrics.METRICS["factor_vae"]._replace(shapes=frozenset({"votes"}))
    monkeypatch.setitem(metrics.METRICS, "factor_vae", of_votes)
    table = CodeTable.checked(np.zeros((6, 2)), (2, 3))
    with pytest.raises(ValueError, match="factor_vae takes votes, not a code table; valid for a"):
        metrics.score("factor_vae", table, size="full", seed=0)


def test_sampled_votes_are_one_draw_of_the_posterior_of_each_image() -> None:
    rng = np.random.default_rng(0)
    means, logvar = rng.normal(size=(2, 40, 50, 3)).astype(np.float32)
    all_means, all_logvar = rng.normal(size=(2, 900, 3)).astype(np.float32)
    labels = np.repeat([0, 1], 20)
    votes = Votes.checked(means, labels, None, all_means, logvar, all_logvar)
    drawn = votes.drawn(seed=1)
    assert drawn.global_codes is not None and drawn.codes.dtype == np.float32
    for found, mean, of in (
        (drawn.codes, means, logvar),
        (drawn.global_codes, all_means, all_logvar),
    ):
        noise = (found - mean) / np.exp(of / 2)
        assert abs(noise.mean()) < 4.5 / np.sqrt(noise.size)
        assert noise.std() == pytest.approx(1, abs=4.5 / np.sqrt(2 * noise.size))
    assert np.array_equal(drawn.codes, votes.drawn(seed=1).codes)
    assert not np.array_equal(drawn.codes, votes.drawn(seed=2).codes)


def test_votes_without_fitting_log_variances_are_not_drawn() -> None:
    with pytest.raises(ValueError, match="there is no logvar to draw codes with"):
        Votes.checked(CODES, LABELS).drawn(0)
    with pytest.raises(
        ValueError, match=r"votes_logvar has shape \[1, 2\]; valid: that of its means"
    ):
        Votes.checked(CODES, LABELS, logvar=np.zeros((1, 2)))
    with pytest.raises(ValueError, match="codes_logvar has shape"):
        Votes.checked(CODES, LABELS, global_logvar=CODES[0])
