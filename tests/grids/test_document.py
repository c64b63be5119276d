from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grids.document import DocumentError, Mark, Node, parse


def plain(node: Node) -> object:
    if isinstance(node.value, dict):
        return {key: plain(value) for key, value in node.value.items()}
    if isinstance(node.value, list):
        return [plain(value) for value in node.value]
    return node.value


# YAML 1.2.2, section 10.3.2 (core schema); the strings are what YAML 1.1 took for something else.
@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-3", 0.001),
        ("1E+3", 1000.0),
        ("-1.5", -1.5),
        (".5", 0.5),
        ("1.", 1.0),
        ("-.inf", -math.inf),
        ("12", 12),
        ("+12", 12),
        ("010", 10),
        ("0o17", 15),
        ("0xff", 255),
        ("true", True),
        ("False", False),
        ("null", None),
        ("~", None),
        ("", None),
        ("yes", "yes"),
        ("off", "off"),
        ("1_000", "1_000"),
        ("2023-01-01", "2023-01-01"),
        ("1:30", "1:30"),
        ("'1'", "1"),
        ('"true"', "true"),
        ("1e", "1e"),
    ],
)
def test_scalars_of_the_core_schema(text: str, value: object) -> None:
    read = plain(parse(f"key: {text}\n"))
    assert read == {"key": value}
    assert isinstance(read, dict) and type(read["key"]) is type(value)


def test_not_a_number_is_a_float() -> None:
    assert math.isnan(parse("[.nan]").value[0].value)


def test_values_know_their_line_and_column() -> None:
    root = parse("a:\n  b: [1, 20]\n")
    inner = root.value["a"].value["b"]
    assert (inner.key_at, inner.at) == (Mark(2, 3), Mark(2, 6))
    assert inner.value[1].at == Mark(2, 10)


def test_nodes_are_equal_by_value() -> None:
    assert parse("a: [1]").value["a"] == parse("\n\nb: [1]").value["b"]
    assert parse("a: 1").value["a"] != parse("a: 2").value["a"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "1:1: the file is empty; valid: a mapping of blocks"),
        ("# only a comment\n", "1:1: the file is empty; valid: a mapping of blocks"),
        ("a: 1\na: 2\n", "2:1: 'a' stands here and on line 1; valid: each key once"),
        ("a: &x [1]\nb: *x\n", "1:4: an anchor (&x); valid: values without anchors"),
        ("b: *x\n", "1:4: an alias (*x); valid: the value written out"),
        ("a: !!python/name:os.system 1\n", "1:4: a tag (!); valid: values without tags"),
        ("a: !t {}\n", "1:4: a tag (!); valid: values without tags"),
        ("%YAML 1.1\n---\na: 1\n", "1:1: a directive (%); valid: YAML 1.2 without directives"),
        ("%TAG ! tag:x,2000:\n---\na: 1\n", "1:1: a directive (%); valid: YAML 1.2 without dir"),
        ("a: 1\n---\nb: 2\n", "1:1: the file holds more than one document; valid: one"),
        ("? [a]\n: 1\n", "1:3: a list or mapping as a key; valid: a name"),
        ("[" * 100_000, "1:12: nested too deeply; valid: at most 10 levels"),
        ("a: b: c\n", "1:5: this is not YAML: mapping values are not allowed here"),
        ("a: 1\nb\x07: 1\n", "2:2: this is not YAML: a control character"),
        ("a: " + "9" * 5000, "1:4: a number of 5000 characters; valid: 100"),
    ],
)
def test_what_is_refused_and_where(text: str, message: str) -> None:
    with pytest.raises(DocumentError) as caught:
        parse(text)
    assert str(caught.value).startswith(message)


def test_a_bomb_of_aliases_is_refused_before_it_grows() -> None:
    lines = ["a0: &a0 [x]"] + [f"a{i}: &a{i} [{f'*a{i - 1}, ' * 9}]" for i in range(1, 30)]
    with pytest.raises(DocumentError, match="an anchor"):
        parse("\n".join(lines))


PUNCTUATION = st.text(alphabet="ab01.-:,[]{}!&*#?|>'\"%@` \n\t~<=_é\u2028\ufeff", max_size=40)


@settings(max_examples=300)
@given(st.text(max_size=60) | PUNCTUATION)
def test_any_text_is_a_tree_or_one_line_of_error(text: str) -> None:
    try:
        parse(text)
    except DocumentError as error:
        assert len(str(error).splitlines()) == 1
