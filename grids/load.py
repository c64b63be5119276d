"""A grid file, read and checked as a whole: YAML in, trials out.

There are two layers: the defaults of `trial`, and over them a point, which is one combination of
the outer `grid`, the outer `zip` and one of `cases` (with its own `grid` and `zip`). Within a point
each key is set once; `expand.merged` says how a point is laid over the defaults. `exclude` takes
out of these; `include` adds points of its own afterwards.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from grids.blocks import blocks_of, items, report_of, settings, source_of, study_name
from grids.configuration import PARTS
from grids.document import DocumentError, Mark, Node, one_line, parse
from grids.expand import CHOICE, Point, matches, merged
from grids.fields import FieldError, shown
from grids.measurement import Measurement
from grids.metrics import CELL, METRICS, OF_A_POSTERIOR, TABLE, VOTES, metrics_of
from grids.points import excluded, partial, points_of
from grids.settings import Budget, Evaluate, Resources
from grids.trial import GridError, Trial

LARGEST_FILE_BYTES = 2**20
MOST_COMPARISONS = 10_000_000
"""Of points with items of `exclude`."""

Kind = type[Trial] | type[Measurement]


@dataclass(frozen=True, kw_only=True)
class Grid:
    """A checked grid file, of trials or of measurements.

    `report` is a name of grids.reports; `resources` has one entry a trial; `text` is the file
    verbatim.
    """

    study: str
    source: str | None
    report: str
    trials: tuple[Trial | Measurement, ...]
    resources: tuple[Resources, ...]
    evaluate: Evaluate
    budget: Budget
    text: str


def load_grid(path: Path) -> Grid:
    """Read a grid file; raises GridError of one line, `file:line:column: what; valid: ...`."""
    name = one_line(str(path))
    try:
        return _grid(_text(path))
    except DocumentError as error:
        raise GridError(f"{name}:{error}") from None
    except OSError as error:
        raise GridError(f"{name}: {error.strerror}; valid: a file that can be read") from None


def _text(path: Path) -> str:
    """The text of a file; raises OSError, DocumentError."""
    start = Mark(1, 1)
    if path.exists() and not path.is_file():
        raise DocumentError(start, "this is not a file; valid: a grid file")
    with path.open("rb") as file:
        data = file.read(LARGEST_FILE_BYTES + 1)
    if len(data) > LARGEST_FILE_BYTES:
        raise DocumentError(start, "this file is too large; valid: at most 1 MiB")
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        column = error.start - data.rfind(b"\n", 0, error.start)
        raise DocumentError(Mark(line, column), "this is not UTF-8; valid: UTF-8 text") from None


def _grid(text: str) -> Grid:
    """The grid that a text describes; raises DocumentError."""
    root = parse(text)
    blocks = blocks_of(root)
    study = study_name(blocks, root)
    source = source_of(blocks)
    evaluate = settings(Evaluate, blocks.get("evaluate"))
    budget = settings(Budget, blocks.get("budget"))
    trials, resources = _trials(blocks, root)
    if "evaluate" in blocks and kind_of(blocks) is Measurement:
        raise DocumentError(
            blocks["evaluate"].key_at,
            "metrics score trials, and this is a study of measurements; valid: no evaluate",
        )
    if evaluate.intervals:
        trained = [t.steps for t in trials if isinstance(t, Trial) and not t.framework.closed_form]
        fewest_steps = min(trained, default=1)
        if evaluate.intervals[-1] > fewest_steps:
            raise DocumentError(
                blocks["evaluate"].value["every"].at,
                f"every is {evaluate.intervals[-1]}, and a trial has {fewest_steps} steps; "
                f"valid: 1 to {fewest_steps}",
            )
    _check_metrics(blocks, evaluate, trials)
    return Grid(
        study=study,
        source=source,
        report=report_of(blocks),
        trials=tuple(trials),
        resources=tuple(resources),
        evaluate=evaluate,
        budget=budget,
        text=text,
    )


def _check_metrics(
    blocks: Mapping[str, Node], evaluate: Evaluate, trials: Sequence[Trial | Measurement]
) -> None:
    """DocumentError where a metric is asked for what a dataset or a framework does not have.

    Or for cells of one trial.
    """
    of_cells = [metric for metric in evaluate.metrics if METRICS[metric] == (CELL,)]
    if of_cells and not _have_seeds(trials):
        raise DocumentError(
            blocks["evaluate"].value["metrics"].at,
            f"{of_cells[0]} compares trials that differ by their seed alone, and no two of these "
            "do; valid: two seeds, or more",
        )
    if not evaluate.metrics:
        return
    trained = [trial for trial in trials if isinstance(trial, Trial)]
    for dataset, framework in dict.fromkeys((t.dataset, t.framework) for t in trained):
        valid = metrics_of(dataset)
        for metric in evaluate.metrics:
            if metric not in valid:
                raise DocumentError(
                    blocks["evaluate"].value["metrics"].at,
                    f"{metric} is of codes of a {' or of '.join(METRICS[metric])}, and "
                    f"{dataset.name} has none; valid: {', '.join(valid)}",
                )
        codes = {shape for metric in evaluate.metrics for shape in METRICS[metric]}
        sampled = "sampled" in evaluate.representations and codes & {TABLE, VOTES}
        if framework.posterior:
            continue
        if sampled:
            raise DocumentError(
                blocks["evaluate"].value["representations"].at,
                f"sampled codes are of a posterior, and {framework.name} has none; valid: [mean]",
            )
        for metric in set(OF_A_POSTERIOR) & set(evaluate.metrics):
            raise DocumentError(
                blocks["evaluate"].value["metrics"].at,
                f"{metric} is of a posterior, and {framework.name} has none; valid: "
                f"{', '.join(name for name in valid if name not in OF_A_POSTERIOR)}",
            )


def _have_seeds(trials: Sequence[Trial | Measurement]) -> bool:
    """Whether any two trials are alike but for their seeds."""
    return len({trial.cell for trial in trials}) < len(trials)


def kind_of(blocks: Mapping[str, Node]) -> Kind:
    """What the file lists: measurements where it has that block, else trials."""
    if "measurement" not in blocks:
        return Trial
    if "trial" in blocks:
        second = max(blocks["trial"].key_at, blocks["measurement"].key_at)
        raise DocumentError(second, "a study has trials or measurements; valid: one of the blocks")
    return Measurement


def _trials(
    blocks: Mapping[str, Node], root: Node
) -> tuple[list[Trial | Measurement], list[Resources]]:
    kind = kind_of(blocks)
    home = blocks[kind.kind].key_at if kind.kind in blocks else root.at
    # A part that need not be named has its name all the same, for dotted keys to reach into it.
    defaults: Point = {
        field.name + CHOICE: Node(field.default.name, home, home)
        for field in dataclasses.fields(kind)
        if field.name in PARTS and field.default is not dataclasses.MISSING
    }
    if kind.kind in blocks:
        defaults |= partial(blocks[kind.kind], kind.kind)
    trials: list[Trial | Measurement] = []
    resources: list[Resources] = []
    points: dict[str, Point] = {}  # by trial id
    for point, needs in _points(blocks, defaults, kind):
        config = merged(defaults, point)
        try:
            trial = kind.from_dict(_nested(config))
        except FieldError as error:
            raise DocumentError(_place(error, config, home), str(error)) from None
        if trial.trial_id in points:
            first = points[trial.trial_id]
            raise DocumentError(
                _last(point, home),
                f"two {kind.kind}s are the same: {_spelled(first)} (line "
                f"{_last(first, home).line}) and {_spelled(point)}; valid: each {kind.kind} once",
            )
        points[trial.trial_id] = point
        trials.append(trial)
        resources.append(needs)
    if not trials:
        raise DocumentError(blocks["exclude"].key_at, "no trial is left; valid: at least one")
    return trials, resources


def _points(
    blocks: Mapping[str, Node], defaults: Mapping[str, Node], kind: Kind
) -> Iterator[tuple[Point, Resources]]:
    """The points of the grid that nothing excludes, then the included ones."""
    excludes = items(blocks.get("exclude"), "exclude")
    unwanted = [excluded(node) for node in excludes]
    unused = set(range(len(unwanted)))
    for number, (point, needs) in enumerate(points_of(blocks)):
        if unwanted:
            if number * len(unwanted) > MOST_COMPARISONS:
                raise DocumentError(
                    blocks["exclude"].key_at,
                    f"{len(unwanted):,} items for this many trials; valid: at most "
                    f"{MOST_COMPARISONS:,} comparisons, items times trials",
                )
            columns = _columns(merged(defaults, point), kind)
            matching = {i for i, values in enumerate(unwanted) if matches(columns, values)}
            unused -= matching
            if matching:
                continue
        yield point, needs
    for i in sorted(unused):
        raise DocumentError(excludes[i].at, "this matches no trial; valid: values of the grid")
    needs = settings(Resources, blocks.get("resources"))
    for node in items(blocks.get("include"), "include"):
        yield partial(node, "an item of include"), needs


def _columns(config: Mapping[str, Node], kind: Kind) -> dict[str, Any]:
    """The flat columns of a trial; of one that is not valid (yet may be excluded), what is set."""
    try:
        return dict(kind.from_dict(_nested(config)).columns())
    except FieldError:
        return {key.removesuffix(CHOICE): node.value for key, node in config.items()}


def _nested(config: Mapping[str, Node]) -> dict[str, Any]:
    """A flat point as the nested dict that from_dict takes."""
    nested: dict[str, Any] = {}
    for key, node in config.items():
        kind, dot, name = key.partition(".")
        if dot:
            nested.setdefault(kind, {})[name] = node.value
        else:
            nested[key] = node.value
    return nested


def _place(error: FieldError, config: Mapping[str, Node], home: Mark) -> Mark:
    """Where the field stands; else where its part is chosen; else the block of defaults."""
    part = error.field.partition(".")[0]
    written = {key: node for key, node in config.items() if node.at != home}  # a default is not
    for key in (error.field, error.field + CHOICE, part + CHOICE):
        if key in written:
            return written[key].key_at if error.unknown else written[key].at
    return min(
        (node.at for key, node in written.items() if key.startswith(part + ".")), default=home
    )


def _last(point: Mapping[str, Node], home: Mark) -> Mark:
    return max((node.at for node in point.values()), default=home)


def _spelled(point: Mapping[str, Node]) -> str:
    """A point in one line, as the file would spell it."""
    values = (f"{key.removesuffix(CHOICE)}: {shown(node.value)}" for key, node in point.items())
    return "{" + ", ".join(values) + "}"
