from __future__ import annotations

from dataclasses import MISSING, dataclass
from typing import Annotated, Literal

import pytest

from grids.fields import FieldError, Valid, check_fields, declared_fields, instead, shown


@dataclass(frozen=True, kw_only=True)
class Example:
    size: Annotated[int | None, Valid(at_least=1), "how large"]
    rate: Annotated[float, Valid(above=0, below=1)] = 0.5
    mode: Literal["one", "two"] = "one"
    names: Annotated[tuple[str, ...], Valid(choices=("a", "b"))] = ()
    flag: bool = False

    def __post_init__(self) -> None:
        check_fields(self)


def test_a_field_is_read_from_its_annotation() -> None:
    size, rate, mode, names, flag = declared_fields(Example).values()
    assert (size.python_type, size.optional, size.description) == (int, True, "how large")
    assert size.required and size.default is MISSING
    assert (rate.python_type, rate.optional, rate.default) == (float, False, 0.5)
    assert (mode.python_type, mode.choices) == (str, ("one", "two"))
    assert (names.python_type, names.many, names.choices) == (str, True, ("a", "b"))
    assert flag.python_type is bool


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"size": 0}, "size is 0; valid: an integer of at least 1, or null"),
        ({"size": False}, "size is false; valid: an integer of at least 1, or null"),
        ({"size": 2**63}, "size is an integer beyond 64 bits; valid: an integer of at least 1, or"),
        ({"rate": 1}, "rate is 1; valid: a number above 0 and below 1"),
        ({"rate": None}, "rate is null; valid: a number above 0 and below 1"),
        ({"rate": 10**400}, "rate is an integer beyond 64 bits; valid: a number above 0"),
        ({"mode": "three"}, "mode is 'three'; valid: one, two"),
        ({"mode": 1}, "mode is 1; valid: one, two"),
        ({"names": ["a"]}, "names is ['a']; valid: a list of: a, b"),
        ({"names": ("a", "c")}, "names is 'c'; valid: a, b"),
        ({"names": ("a", "a")}, "names is ['a', 'a']; valid: each value once"),
        ({"flag": 1}, "flag is 1; valid: true or false"),
    ],
)
def test_a_wrong_value_is_named(values: dict[str, object], message: str) -> None:
    with pytest.raises(FieldError) as caught:
        Example(**({"size": 1} | values))  # type: ignore[arg-type]
    assert str(caught.value).startswith(message)


def test_an_int_becomes_the_float_it_stands_for() -> None:
    @dataclass(frozen=True, kw_only=True)
    class Hours:
        hours: float

        def __post_init__(self) -> None:
            check_fields(self)

    assert type(Hours(hours=3).hours) is float


def test_a_near_name_is_offered_before_the_valid_ones() -> None:
    assert instead("spacin", ["spacing", "seed"]) == "did you mean spacing? valid: spacing, seed"
    assert instead("x", ["spacing"]) == "valid: spacing"
    assert instead("x", []) == "valid: none"


def test_values_are_shown_as_a_file_spells_them_and_on_one_line() -> None:
    assert [shown(value) for value in (None, True, 1.5, "a\nb")] == [
        "null",
        "true",
        "1.5",
        "'a\\nb'",
    ]
    assert len(shown("x" * 1000)) == 60


def test_an_error_seen_from_outside_names_the_part() -> None:
    error = FieldError("spacing", "is 0", unknown=True).inside("dataset")
    assert (error.field, str(error), error.unknown) == (
        "dataset.spacing",
        "dataset.spacing is 0",
        True,
    )
