"""What a grid file may name, as lists: for the terminal, for programs and for docs/catalogue.md.

All of it is read from the declarations in `grids`. `python -m orchestrator.catalogue` rewrites the
tables of that page, each between its two marker comments.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from grids.datasets import DATASETS, RANDOM_NUISANCES, Images
from grids.fields import Field, declared_fields, instead, shown
from grids.parts import (
    FRAMEWORKS,
    MODELS,
    OPTIMIZERS,
    RECONSTRUCTIONS,
    SCHEDULES,
    Framework,
    Model,
    Part,
)
from grids.settings import Budget, Evaluate, Resources
from grids.terms import TERMS
from grids.trial import Trial
from metrics.registry import METRICS, SHAPES, function_of
from orchestrator.errors import InputError

MOST_LATENTS = int(declared_fields(Trial)["latents"].valid.at_most or 0)
PAGE = Path(__file__).resolve().parents[1] / "docs" / "catalogue.md"

BLOCKS: Mapping[type, str] = {
    Trial: "trial",
    Evaluate: "evaluate",
    Resources: "resources",
    Budget: "budget",
}
Listed = type[Part] | type[Trial] | type[Evaluate] | type[Resources] | type[Budget]
LISTS: Mapping[str, Mapping[str, Listed]] = {
    "datasets": DATASETS,
    "frameworks": FRAMEWORKS,
    "models": MODELS,
    "parameters": {
        **{name: block for block, name in BLOCKS.items()},
        **RECONSTRUCTIONS,
        **OPTIMIZERS,
        **SCHEDULES,
    },
}
Row = dict[str, Any]


def listed(what: str) -> list[Row]:
    """A row an entry of a list, as plain values."""
    if what == "metrics":
        return listed_metrics()
    return [described(part) for part in LISTS[what].values()]


def described(part: Listed) -> Row:
    """A dataset (as it is by default), another part or the trial itself, as plain values."""
    name, source = (part.name, part.source) if issubclass(part, Part) else (BLOCKS[part], "")
    row: Row = {
        "name": name,
        "line": (part.__doc__ or "").partition("\n")[0],
        "source": source,
    }
    if issubclass(part, Images):
        row |= contents(part())
    elif issubclass(part, Framework):
        row |= {
            "beta_conventions": list(part.conventions),
            "pairs": part.pairs,
            "fitted_once": part.closed_form,
            "terms": {term: TERMS[term] for term in part.terms},
        }
    elif issubclass(part, Model):
        sizes = part.image_sizes
        row |= {
            "image_sizes": None if sizes is None else list(sizes),
            "most_latents": part.narrowest_layer,
        }
    row["parameters"] = [_parameter(field) for field in declared_fields(part).values()]
    return row


def _parameter(field: Field) -> Row:
    in_bytes = field.name == "memory_bytes"  # as blocks.settings takes it
    return {
        "name": "memory" if in_bytes else field.name,
        "required": field.required,
        "default": None if field.required else _plain(field.default),
        "choices": None if field.choices is None else list(field.choices),
        "valid": "a number and a unit, as in 2GiB, or null" if in_bytes else field.what,
        "description": field.description,
    }


def _plain(default: Any) -> Any:
    return list(default) if isinstance(default, tuple) else default


def listed_metrics() -> list[Row]:
    """A row a metric; a range without a limit has None there."""
    return [
        {
            "name": name,
            "line": metric.summary,
            "source": metric.citation,
            "takes": [words for shape, words in SHAPES.items() if shape in metric.shapes],
            "value_range": [None if math.isinf(end) else end for end in metric.value_range],
            "higher_is_better": metric.higher_is_better,
            "cost_seconds": metric.cost_seconds,
            "scores": list(metric.scores),
            "sizes": {size: dict(sizes) for size, sizes in metric.sizes.items()},
            "version": metric.version,
            "parameters": [],
        }
        for name, metric in METRICS.items()
    ]


def contents(dataset: Images) -> Row:
    """The factors and the images of a dataset; images is None where each use draws new ones."""
    channels, height, width = dataset.image_shape
    cells = math.prod(dataset.factor_sizes)
    return {
        "factors": dict(zip(dataset.factor_names, dataset.factor_sizes, strict=True)),
        "cyclic_factors": list(dataset.cyclic),
        "continuous_factors": list(dataset.continuous_factors),
        "cells": cells,
        "images": None if dataset.nuisances == RANDOM_NUISANCES else cells * dataset.nuisances,
        "image_shape": [channels, height, width],
    }


def factors(row: Row) -> str:
    """The factors of a dataset with their sizes, in words."""
    if row["continuous_factors"]:
        return f"{', '.join(row['continuous_factors'])} (continuous)"
    words = (
        f"{name} {size}{' cyclic' if name in row['cyclic_factors'] else ''}"
        for name, size in row["factors"].items()
    )
    return ", ".join(words) or "without factors"


def image_count(row: Row) -> str:
    """How many images a dataset has, in words."""
    return f"{row['cells']:,} x random" if row["images"] is None else f"{row['images']:,}"


def image_size(row: Row) -> str:
    """Height, width and channels of the images of a dataset."""
    channels, height, width = row["image_shape"]
    return f"{height}x{width}x{channels}"


def catalogue_view(what: str) -> RenderableType:
    """A list for the terminal: an entry's line, what it takes, its source and its parameters."""
    parts: list[RenderableType] = []
    for row in listed(what):
        lines = [row["line"], *(f"{words}." for words in [traits(row)] if words)]
        lines += [f"Reports {term}: {meaning}." for term, meaning in row.get("terms", {}).items()]
        lines += [f"Scores: {', '.join(row['scores'])}."] if "scores" in row else []
        lines += [f"Source: {row['source']}."] if row["source"] else []
        parts += ["", Text(row["name"], style="bold"), _indented(Text("\n".join(lines)), 2)]
        if row["parameters"]:
            parts.append(_indented(_parameters(row), 4))
    return Group(*parts[1:])


def metric_view(name: str) -> RenderableType:
    """A metric's definition, as its code has it. InputError for an unknown one."""
    if name not in METRICS:
        raise InputError(f"{name}: no such metric; {instead(name, METRICS)}")
    [row] = [row for row in listed_metrics() if row["name"] == name]
    function = function_of(name)
    sizes = (
        f"{size}: " + ", ".join(f"{what} {count:,}" for what, count in drawn.items())
        for size, drawn in row["sizes"].items()
    )
    definition = f"{inspect.getdoc(function)}\n\n{inspect.getdoc(inspect.getmodule(function))}"
    return Group(
        Text(name, style="bold"),
        _indented(Text(f"{traits(row)}.\nSizes: {'; '.join(sizes)}."), 2),
        "",
        _indented(Text(definition), 2),
    )


def _indented(content: RenderableType, columns: int) -> Padding:
    return Padding(content, (0, 0, 0, columns), expand=False)


def _parameters(row: Row) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(width=29)  # equal widths, so that the entries line up
    table.add_column()
    for parameter in row["parameters"]:
        default = Text(f"{parameter['name']}: {default_of(parameter)}")
        table.add_row(default, Text(f"{parameter['description']}; valid: {parameter['valid']}"))
    return table


def traits(row: Row) -> str:
    """What a dataset has, or a framework or a network takes, beside its parameters."""
    if "value_range" in row:
        return f"Takes {' or '.join(row['takes'])}; {goodness(row)}; {cost(row)}"
    if "factors" in row:
        return f"Has {image_count(row)} images of {image_size(row)}; {factors(row)}"
    if "most_latents" in row:
        return f"Takes {images(row)}; {most_latents(row)}"
    if "beta_conventions" not in row:
        return ""
    words = [f"beta ({' or '.join(row['beta_conventions'])})"] if row["beta_conventions"] else []
    words += ["pairs of images"] if row["pairs"] else []
    words += ["steps: 1", "model: linear"] if row["fitted_once"] else []
    return f"Takes {' and '.join(words)}" if words else "Takes no beta"


def goodness(row: Row) -> str:
    """The range of a metric's own value, the first score, and which way is better."""
    low, high = (
        end if value is None else f"{value:g}"
        for end, value in zip(("-inf", "inf"), row["value_range"], strict=True)
    )
    return f"{low} to {high}, {'higher' if row['higher_is_better'] else 'lower'} is better"


def cost(row: Row) -> str:
    """What a metric takes at full size, about."""
    seconds = row["cost_seconds"]
    return f"about {seconds:g} s" if seconds >= 1 else "below 1 s"


def images(row: Row) -> str:
    """The images that a network takes."""
    sizes = row["image_sizes"]
    if sizes is None:
        return "images of any size"
    return "images of " + " or ".join(f"{size}x{size}" for size in sizes)


def most_latents(row: Row) -> str:
    """The most latents that a network has a use for."""
    most = row["most_latents"]
    most = None if most is None else min(most, MOST_LATENTS)
    return (
        "at most as many latents as an image has values"
        if most is None
        else (f"at most {most:,} latents")
    )


def markdown(what: str) -> str:
    """A list as a table of Markdown: a line an entry."""
    takes = "has, by default" if what == "datasets" else "takes, with defaults"
    lines = [f"| name | what it is | {takes} | source |", "|---|---|---|---|"]
    for row in listed(what):
        _, _, traits_said = traits(row).partition(" ")  # the verb is the column's
        takes = "; ".join(filter(None, [traits_said, *map(_in_short, row["parameters"])]))
        lines.append(f"| `{row['name']}` | {row['line']} | {takes} | {row['source']} |")
    return "\n".join(lines)


def _in_short(parameter: Row) -> str:
    """`k_rule` orig (or uniform, fixed)."""
    default = default_of(parameter)
    many = isinstance(parameter["default"], list)  # of names that stand in a table of their own
    others = [c for c in parameter["choices"] or () if c != default and not many]
    return f"`{parameter['name']}` {default}" + (f" (or {', '.join(others)})" if others else "")


def with_tables(text: str) -> str:
    """The text of the page with its tables as they are now. Raises ValueError without markers."""
    for what in (*LISTS, "metrics"):
        start, end = f"<!-- {what} -->", f"<!-- /{what} -->"
        before, found, rest = text.partition(start)
        _, found_end, after = rest.partition(end)
        if not found or not found_end:
            raise ValueError(f"{PAGE.name} has no {start} and {end}")
        text = f"{before}{start}\n{markdown(what)}\n{end}{after}"
    return text


def default_of(parameter: Row) -> str:
    """Of a row's parameter, as a grid file would spell it."""
    return "no default" if parameter["required"] else spelled(parameter["default"])


def spelled(value: Any) -> str:
    """A default as a grid file would spell it."""
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, list):
        return f"[{', '.join(map(spelled, value))}]"
    return value if isinstance(value, str) else shown(value)


if __name__ == "__main__":
    PAGE.write_text(with_tables(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
