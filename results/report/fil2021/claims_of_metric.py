"""Claims of section 3.1.5, on the metric itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from results.report.claims import Claim
from results.report.fil2021.cells import BETAS, group_of, judged, of_vaes, together
from results.report.fil2021.runs import CLASSIFIERS, MLP, SHAPES_2D, Group, accuracy

NO_EFFECT = 5.0
"""Points between classifiers that pass as "no significant effect": ours."""


def of_metric(groups: Sequence[Group]) -> list[Claim]:
    """Section 3.1.5: the sizes of the sample, and the classifiers, of one run stay together."""
    mlp = group_of(groups, SHAPES_2D, MLP)
    of_mlp = f" ({mlp.study})" if mlp else " (the MLP on 2Dshapes)"
    few, many = accuracy(pairs=16), accuracy(pairs=256)
    vaes = [together(mlp, f"{beta:g}-VAE", [few, many]) for beta in BETAS]
    baselines: list[Any] = [
        next((runs for g in _baselines(groups) if len(runs := together(g, name, [few, many]))), [])
        for name in ("PCA", "ICA")
    ]
    of_classifiers = [
        together(group, setting, [accuracy(classifier=name) for name in CLASSIFIERS])
        for group in of_vaes(groups)
        for setting in group.settings
    ]
    of_classifiers = [runs for runs in of_classifiers if len(runs)]
    return [
        Claim(
            "Higher L raises the scores",
            "section 3.1.5, figure 6",
            f"mean at 256 pairs less that at 16, mean over VAEs, PCA and ICA, points{of_mlp}",
            judged([*vaes, *baselines], lambda m: (m[:, :, 1] - m[:, :, 0]).mean(axis=1), np.mean),
        ),
        Claim(
            "It does so for PCA and ICA in particular",
            "section 3.1.5, figure 6",
            f"the same of PCA and ICA less that of the VAEs, points{of_mlp}",
            judged(
                [*vaes, *baselines],
                lambda m: (
                    (m[:, 4:, 1] - m[:, 4:, 0]).mean(axis=1)
                    - (m[:, :4, 1] - m[:, :4, 0]).mean(axis=1)
                ),
                np.mean,
            ),
        ),
        Claim(
            "beta-VAEs become more alike with L",
            "section 3.1.5, figure 6",
            "standard deviation over the betas' means at 256 pairs less that at 16, "
            f"points{of_mlp}",
            judged(vaes, lambda m: m[:, :, 1].std(axis=1) - m[:, :, 0].std(axis=1), np.mean),
            above=False,
        ),
        Claim(
            "The classifier has no significant effect",
            "section 3.1.5, table 2",
            "largest less smallest mean of a classifier, over all settings and datasets, points",
            judged(
                of_classifiers,
                lambda m: m.mean(axis=1).max(axis=1) - m.mean(axis=1).min(axis=1),
                np.mean,
            ),
            bound=NO_EFFECT,
            above=False,
        ),
    ]


def _baselines(groups: Sequence[Group]) -> list[Group]:
    return [g for dataset in SHAPES_2D for g in groups if g.baseline and g.dataset == dataset]
