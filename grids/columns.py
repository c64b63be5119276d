"""Every column that a trial can have, with its type: declared, never inferred."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from grids.configuration import PARTS
from grids.fields import declared_fields
from grids.trial import Trial


def column_types(parts: Mapping[str, Mapping[str, type]]) -> dict[str, type]:
    """Every column that a trial of these parts can have, with its type.

    Raises TypeError where two parts give one column two types.
    """
    columns: dict[str, type] = {}
    for field in dataclasses.fields(Trial):
        if field.name not in parts:
            columns[field.name] = declared_fields(Trial)[field.name].python_type
            if field.name == "beta_convention":
                columns |= {"beta_sum": float, "beta_mean": float}
            continue
        columns[field.name] = str
        for part in parts[field.name].values():
            for name, parameter in declared_fields(part).items():
                column = f"{field.name}.{name}"
                if columns.setdefault(column, parameter.python_type) is not parameter.python_type:
                    raise TypeError(
                        f"{column} is {columns[column].__name__} in one part and "
                        f"{parameter.python_type.__name__} in {part.__name__}"
                    )
    return columns


COLUMN_TYPES: dict[str, type] = column_types(PARTS)
