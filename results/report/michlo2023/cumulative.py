"""Figure 1 of the supplement: how the distances of pairs are distributed, by factor."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pandas as pd

from results.distances import RANDOM
from results.report.blocks import Drawing, Missing
from results.report.figures import COLOURS, sheet
from results.report.michlo2023.experiments import SQUARES
from results.report.michlo2023.measured import Measured

Corner = Literal["upper left", "lower right"]


def cumulative(found: Measured) -> Drawing | Missing:
    """A panel a measurement by mse: the share of pairs below a distance, by factor."""
    distances = found.by_mse
    if distances.empty:
        return Missing(
            "Figure 1 of the supplement", "No distances were measured by mse, as its are."
        )
    panels = list(distances.groupby("trial_id", sort=False))
    figure, axes = sheet(len(panels), columns=2 if len(panels) < 7 else 3, panel_inches=(4.6, 3.0))
    shares = np.linspace(0, 1, len(distances["distance_quantiles"].iloc[0]))
    drawn = []
    for panel, (_, rows) in zip(axes, panels, strict=True):
        by_mean = rows.sort_values("distance_mean", ascending=False, kind="stable")
        # Curves that lie on one another are all seen: each is thinner than the one below it.
        widths = np.linspace(1.5 + 0.5 * len(by_mean), 1.2, len(by_mean))
        for number, (width, row) in enumerate(zip(widths, by_mean.to_dict("records"), strict=True)):
            at_random = row["factor"] == RANDOM
            panel.step(
                row["distance_quantiles"],
                shares,
                where="post",
                label=row["factor"],
                color="black" if at_random else COLOURS[number % (len(COLOURS) - 1)],
                linestyle="--" if at_random else "-",
                linewidth=1.5 if at_random else width,
            )
            drawn.append(
                pd.DataFrame(
                    {
                        "images": row["images"],
                        "loss": row["loss"],
                        "factor": row["factor"],
                        "share": shares,
                        "distance": row["distance_quantiles"],
                    }
                )
            )
        panel.set_title(_title(rows.iloc[0]), fontsize="small")
        panel.set_xlabel("perceived distance", fontsize="small")
        panel.set_xlim(left=0)
        # Of squares all random pairs are far apart; matplotlib's own choice takes seconds.
        corner: Corner = "upper left" if rows["dataset"].iloc[0] == SQUARES else "lower right"
        panel.legend(fontsize="x-small", frameon=False, loc=corner)
    axes[0].set_ylabel("share of pairs below", fontsize="small")
    note = (
        "A curve further to the right is of a factor with larger distances, which the paper "
        "expects to be learnt earlier. The paper prints no numbers for this figure."
    )
    return Drawing("supplement_figure_1", "By dataset", figure, pd.concat(drawn), note)


def _title(row: pd.Series) -> str:
    words = f"{row['images']}: {row['loss']}"
    return words if len(words) < 46 else words.replace(": ", ":\n")
