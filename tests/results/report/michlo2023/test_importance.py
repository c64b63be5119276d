"""Table 1, the cumulative distances and the matrices."""

from __future__ import annotations

from typing import Any

import matplotlib
import pytest

from results.report.blocks import Drawing, Missing
from results.report.michlo2023.importance import importance_table, sections
from results.report.michlo2023.measured import importance_of, measured

matplotlib.use("agg")
SPRITES = {"y": 0.0594, "x": 0.0569, "scale": 0.03, "shape": 0.02, "orientation": 0.01}


def test_published_numbers_stand_beside_ours(made: Any) -> None:
    found = measured(made.measured(dsprites_rendered=SPRITES))
    table = importance_table(found.by_mse).set_index(["images", "factor"])
    y = table.loc[("dsprites_rendered", "y")]
    assert (y["mean"], y["published mean"]) == (0.0594, 0.0584)
    assert y["difference"] == pytest.approx(0.001)
    assert y["published in"] == "table 1, of dsprites"
    assert y["standard error"] == pytest.approx(y["sd"] / 50_000**0.5)
    factors = table.loc["dsprites_rendered"].index.to_list()
    assert [f for f in factors if f != "random"] == ["y", "x", "scale", "shape", "orientation"]
    assert table.loc[("xysquares", "x_R"), "published in"] == "table 1"


def test_other_images_have_no_published_numbers(made: Any) -> None:
    table = importance_table(measured(made.measured()).by_mse)
    assert set(table["images"]) == {"xysquares", "dsprites_rendered"}


def test_a_blurred_loss_has_no_published_numbers(made: Any) -> None:
    blurred = measured(made.measured(loss="mse_boxblur"))
    assert importance_table(blurred.by_mse).empty
    [table, cumulative, *_] = [block for s in sections(blurred) for block in s.blocks]
    assert isinstance(table, Missing) and isinstance(cumulative, Missing)


def test_seeds_are_averaged(made: Any) -> None:
    studies = made.measured(seeds=(1, 2), dsprites_rendered=SPRITES)
    table = importance_table(measured(studies).by_mse).set_index(["images", "factor"])
    assert table.loc[("dsprites_rendered", "y"), "n"] == 2
    assert table.loc[("dsprites_rendered", "y"), "pairs"] == 100_000


def test_all_is_drawn_and_what_lacks_is_said(made: Any) -> None:
    found = sections(measured(made.measured()))
    blocks = [block for section in found for block in section.blocks]
    assert [b.name for b in blocks if isinstance(b, Drawing)] == [
        "supplement_figure_1",
        "matrices_xysquares",
        "matrices_dsprites_rendered",
    ]
    [missing] = [b for b in blocks if isinstance(b, Missing)]
    assert missing.title == "Table 1 of cars3d, shapes3d, smallnorb_michlo, dsprites"
    of = {b.name: b for b in blocks if isinstance(b, Drawing)}
    # Two measurements of squares, one factor each; five factors, of which one is cyclic.
    shown = [sum(len(a.images) for a in of[name].figure.axes) for name in list(of)[1:]]
    assert shown == [4, 11]


def test_nothing_measured_is_said_three_times(made: Any) -> None:
    [section] = sections(measured(made.studies(made.grid("overlap"))))
    assert [block.title for block in section.blocks] == [
        "Table 1",
        "Figure 1 of the supplement",
        "Distance matrices",
    ]


def test_importance_is_published_where_the_paper_has_it(made: Any) -> None:
    by_mse = measured(made.measured(dsprites_rendered=SPRITES)).by_mse
    published, ours = importance_of("dsprites_rendered", by_mse)
    assert (published["y"], ours["y"]) == (0.0584, 0.0594)
    published, ours = importance_of("xysquares, spacing 1", by_mse)
    assert published == {} and set(ours) > {"x_R", "random"}
