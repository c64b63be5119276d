"""Every column that a trial or a measurement can have, with its type: declared, never inferred."""

from __future__ import annotations

from collections.abc import Mapping

from grids.configuration import PARTS
from grids.fields import declared_fields
from grids.measurement import Measurement
from grids.trial import Trial


def column_types(parts: Mapping[str, Mapping[str, type]]) -> dict[str, type]:
    """Every column that a trial or a measurement of these parts can have, with its type.

    Raises TypeError where two parts give one column two types.
    """
    columns: dict[str, type] = {}
    declared = declared_fields(Trial) | declared_fields(Measurement)
    for name in dict.fromkeys((*Trial.field_names(), *Measurement.field_names())):
        if name not in parts:
            columns[name] = declared[name].python_type
            if name == "beta_convention":
                columns |= {"beta_sum": float, "beta_mean": float}
            continue
        columns[name] = str
        for part in parts[name].values():
            for parameter_name, parameter in declared_fields(part).items():
                column = f"{name}.{parameter_name}"
                if columns.setdefault(column, parameter.python_type) is not parameter.python_type:
                    raise TypeError(
                        f"{column} is {columns[column].__name__} in one part and "
                        f"{parameter.python_type.__name__} in {part.__name__}"
                    )
    return columns


COLUMN_TYPES: dict[str, type] = column_types(PARTS)
