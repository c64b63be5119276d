"""Metrics are tested as they are scored: on one thread."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import scipy.linalg  # noqa: F401  its threads are its own, and can be limited once it is there
import sklearn.linear_model  # noqa: F401
from threadpoolctl import threadpool_limits


@pytest.fixture(autouse=True, scope="session")
def one_thread() -> Iterator[None]:
    with threadpool_limits(1):
        yield
