"""How good a representation is: pure functions of a code table or of votes, one file a metric.

NumPy, SciPy, scikit-learn and numba only. A metric draws what it needs from the table with its own
random numbers, so the same table, size and seed give the same value, whatever else is scored.
"""

from __future__ import annotations

from metrics.evidence import Evidence
from metrics.inception import Images
from metrics.registry import METRICS as METRICS
from metrics.registry import SHAPES as SHAPES
from metrics.registry import Metric as Metric
from metrics.registry import Shape as Shape
from metrics.registry import function_of as function_of
from metrics.registry import metrics_for as metrics_for
from metrics.sparse import SparseTable
from metrics.table import CodeTable
from metrics.votes import Votes

Data = CodeTable | SparseTable | Votes | Evidence | Images
_SHAPE_OF: dict[type, Shape] = {
    CodeTable: "table",
    SparseTable: "table",
    Votes: "votes",
    Evidence: "evidence",
    Images: "inception",
}


def shape_of(data: Data) -> Shape:
    return _SHAPE_OF[type(data)]


def score(name: str, data: Data, *, size: str, seed: int) -> dict[str, float]:
    """The scores of one metric, all finite.

    ValueError for an unknown metric or size, and for a shape of data that the metric does not take.
    """
    if name not in METRICS:
        raise ValueError(f"metric {name!r}: valid: {', '.join(METRICS)}")
    metric = METRICS[name]
    if size not in metric.sizes:
        raise ValueError(f"size {size!r} of {name}: valid: {', '.join(metric.sizes)}")
    shape = shape_of(data)
    if shape not in metric.shapes:
        taken = " or ".join(SHAPES[taken] for taken in SHAPES if taken in metric.shapes)
        raise ValueError(
            f"metric {name} takes {taken}, not {SHAPES[shape]}; "
            f"valid for {SHAPES[shape]}: {', '.join(metrics_for(shape))}"
        )
    values = function_of(name)(data, seed=seed, **metric.sizes[size])
    assert tuple(values) == metric.scores, f"{name} gave {tuple(values)}, not {metric.scores}"
    return values
