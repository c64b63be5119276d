"""Damaged bytes are refused as each reader documents: never a crash, and always one line."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzz.targets import TARGETS

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 20
"""Of each target by coverage."""
TOKENS = [
    *(b"[", b"{", b"]", b"}", b'"', b":", b",", b"\n", b"- ", b"null", b"true", b"-1", b"1e999"),
    *(b"NaN", b"[]", b"{}", b"..", b"/", b"\x00", b"\xff\xff\xff\x7f", b"\xff" * 8, b"9" * 40),
]


@st.composite
def damaged(draw: st.DrawFn, seeds: list[bytes]) -> bytes:
    """Valid bytes of which some are flipped, cut out, repeated or replaced."""
    content = bytearray(draw(st.sampled_from(seeds)))
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, max(0, len(content) - 1)))
        length = draw(st.sampled_from([0, 1, 2, 4, 16, 64]))
        piece = draw(
            st.one_of(
                st.sampled_from(TOKENS),
                st.binary(max_size=4),
                st.just(bytes(content[at : at + length])),
                st.just(b""),
            )
        )
        content[at : at + draw(st.sampled_from([0, len(piece), length]))] = piece
    return bytes(content)


def check(name: str, examples: int) -> None:
    target = TARGETS[name]
    seeds = list(target.seeds())
    for seed in seeds:
        target(seed)

    @settings(
        max_examples=examples,
        database=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.large_base_example],
    )
    @given(damaged(seeds))
    def refused_or_read(data: bytes) -> None:
        target(data)

    refused_or_read()


@pytest.mark.parametrize("name", TARGETS)
def test_a_few_damaged_files_of_each_kind(name: str) -> None:
    check(name, 5)


@pytest.mark.slow
@pytest.mark.parametrize("name", TARGETS)
def test_many_damaged_files_of_each_kind(name: str) -> None:
    check(name, 300)


@pytest.mark.slow
@pytest.mark.parametrize("name", TARGETS)
def test_files_that_coverage_leads_to(name: str, tmp_path: Path) -> None:
    pytest.importorskip("atheris", reason="atheris is for Linux on x86-64")
    done = subprocess.run(
        [sys.executable, "-m", "tests.fuzz.by_coverage", name, str(SECONDS), str(tmp_path)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=SECONDS * 20 + 300,
    )
    assert done.returncode == 0, done.stderr[-4000:]
