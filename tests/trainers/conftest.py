from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch

from grids import parts
from grids.trial import Trial


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def small_trial() -> Callable[..., Trial]:
    """A trial of 64 images and batches of 4, with the given fields in place of its own."""

    def trial(**fields: Any) -> Trial:
        small: dict[str, Any] = {
            "dataset": parts.XYSquares(grid_size=2, standardise=True),
            "framework": parts.BetaVAE(),
            "beta": 1e-3,
            "model": parts.Conv64(),
            "latents": 3,
            "steps": 130,
            "batch_size": 4,
        }
        return Trial(**(small | fields))

    return trial


@pytest.fixture(scope="session")
def trial_of(small_trial: Callable[..., Trial]) -> Callable[..., Trial]:
    """A small trial of a framework by name, with what that framework asks for."""

    def trial(name: str, **fields: Any) -> Trial:
        cls = parts.FRAMEWORKS[name]
        steps = fields.get("steps", 130)
        asked: dict[str, Any] = {"beta": None, "framework": cls()}
        if hasattr(cls, "anneal_steps"):
            asked["framework"] = cls(anneal_steps=max(steps // 2, 1))  # type: ignore[call-arg]
        if cls.conventions:
            asked |= {"beta": 1e-3, "beta_convention": cls.conventions[0]}
        if cls.closed_form:
            asked |= {"model": parts.LinearModel(), "steps": 1, "batch_size": 40}
        return small_trial(**(asked | fields))

    return trial
