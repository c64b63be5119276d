"""The capacity at which factors rise, from curves and artifacts on disk."""

from __future__ import annotations

from typing import Any

import matplotlib
import pytest

from results.report.blocks import Drawing, Missing, Table
from results.report.michlo2023.claims_of_learning import claims_of_learning
from results.report.michlo2023.learning_order import learnings, order_table, sections
from results.report.michlo2023.measured import measured

matplotlib.use("agg")
IN_ORDER = {"x": 1.0, "y": 2.0, "scale": 4.0, "shape": 6.0, "orientation": 8.0}


def found_of(studies: Any) -> Any:
    return learnings(studies, measured(studies))


def test_the_capacities_are_those_that_were_planted(made: Any) -> None:
    [found] = found_of(made.learnt(IN_ORDER))
    table = order_table(found).set_index("factor")
    # A latent begins at the capacity and grows by half a nat for each of it; reports are 1 apart.
    assert table["capacity_nats"].to_dict() == {
        factor: pytest.approx(start + 2) for factor, start in IN_ORDER.items()
    }
    assert table.index[0] == "y" and table.loc["y", "published importance"] == 0.0584
    assert (table["risen"] == 4).all() and (table["seeds"] == 4).all()
    assert table["follows"].to_dict() == pytest.approx(dict.fromkeys(IN_ORDER, 0.9))


def test_claims_hold_in_order_and_do_not_in_reverse(made: Any) -> None:
    [by_importance, *pairs] = claims_of_learning(found_of(made.learnt(IN_ORDER)))
    assert by_importance.interval.value == pytest.approx(0.9)  # x before y, which is published less
    assert [claim.interval.value for claim in pairs] == pytest.approx([2.5, 2, 2])
    backwards = dict(zip(IN_ORDER, reversed(IN_ORDER.values()), strict=True))
    for claim in claims_of_learning(found_of(made.learnt(backwards))):
        assert claim.interval.high < 0


def test_a_factor_that_never_rises_counts_with_the_largest_capacity(made: Any) -> None:
    [found] = found_of(made.learnt(IN_ORDER | {"orientation": 100.0}))
    table = order_table(found).set_index("factor")
    assert table.loc["orientation", "risen"] == 0
    assert table.loc["orientation", "capacity_nats"] == 20


def test_it_is_drawn_and_what_lacks_is_said(made: Any) -> None:
    [section] = sections(found_of(made.learnt(IN_ORDER)))
    assert [type(block) for block in section.blocks] == [Drawing, Drawing, Table]
    [section] = sections([])
    assert isinstance(section.blocks[0], Missing)
    # Trials that have left nothing yet.
    waiting = made.studies(made.grid("learning"), status=lambda trial: "waiting")
    [section] = sections(found_of(waiting))
    [missing] = section.blocks
    assert "None of the 4 trials" in missing.why
    [claim] = claims_of_learning(found_of(waiting))
    assert claim.interval is None
