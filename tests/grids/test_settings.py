from __future__ import annotations

import dataclasses

import pytest

from grids.parts import METRICS
from grids.settings import Budget, Evaluate, Resources, memory_bytes, pack_size


@pytest.mark.parametrize(
    ("text", "size"),
    [("2GiB", 2**31), ("1.5 GiB", 3 * 2**29), ("512MiB", 2**29), ("1KiB", 1024), (None, None)],
)
def test_memory_has_a_unit(text: str | None, size: int | None) -> None:
    assert memory_bytes(text) == size


@pytest.mark.parametrize(
    "text", ["2GB", "2", "", "GiB", "-1GiB", "0GiB", "1e3GiB", "2GiB\n", 2, True]
)
def test_memory_without_a_binary_unit_is_refused(text: object) -> None:
    with pytest.raises(ValueError, match="^memory is .*; valid: a number and one of KiB, MiB"):
        memory_bytes(text)


def test_a_fraction_of_one_gpu_or_whole_gpus() -> None:
    assert [Resources(gpus=gpus).gpus for gpus in (0, 0.25, 1, 4)] == [0.0, 0.25, 1.0, 4.0]
    with pytest.raises(ValueError, match="^gpus is 1.5; valid: a fraction of one, or whole GPUs"):
        Resources(gpus=1.5)


@pytest.mark.parametrize(("value", "size"), [(1, 1), (16, 16), ("auto", None)])
def test_a_pack_is_a_number_of_trials_or_found_out(value: object, size: int | None) -> None:
    assert pack_size(value) == size


@pytest.mark.parametrize("value", [0, 17, 1.0, True, None, "Auto", "4"])
def test_other_packs_are_refused(value: object) -> None:
    with pytest.raises(ValueError, match="^pack is .*; valid: auto, or an integer of at least 1"):
        pack_size(value)


def test_nothing_said_is_one_cpu_no_scores_and_no_limit() -> None:
    assert dataclasses.astuple(Resources()) == (0.0, 1.0, None, 1)
    assert dataclasses.astuple(Evaluate()) == ((), None, (), "fast", "full", ("mean",), 0, False)
    assert dataclasses.astuple(Budget()) == (None, None)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Evaluate(every=0), "every is 0; valid: an integer of at least 1, or null"),
        (
            lambda: Evaluate(metrics=("migg",)),
            f"metrics is 'migg'; did you mean mig? valid: {', '.join(METRICS)}",
        ),
        (
            lambda: Evaluate(during="slow"),  # type: ignore[arg-type]
            "during is 'slow'; valid: fast, full",
        ),
        (lambda: Resources(cpus=0), "cpus is 0; valid: a number above 0"),
        (lambda: Budget(gpu_hours=-1), "gpu_hours is -1; valid: a number above 0, or null"),
    ],
)
def test_a_wrong_setting_says_what_is_valid(make, message: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ValueError) as caught:
        make()
    assert str(caught.value) == message
