"""What the thesis expects of runs that it did not make, judged by ours."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from results.analysis.beta_readings import NORMALISED, PRINTED
from results.analysis.cell_means import Doubles, over_cells
from results.analysis.intervals import Interval
from results.analysis.spread import Cells, cells_of, spread
from results.report.claims import Claim
from results.report.song2018.claims import judge, spread_slope
from results.report.song2018.experiments import BETA_VAE, KIM_MNIH, LAST, WEIGHTED, Experiment

PUBLISHED_BETAS = (1, 8)
"""From the smallest to the largest."""


def open_questions(experiments: Sequence[Experiment]) -> list[Claim]:
    """By the last epoch and the score of Kim and Mnih, of the first study that has the runs."""
    by = " (last epoch, score of Kim and Mnih)"
    over_latents = [e for e in experiments if e.along == "latents"]
    over_factors = [e for e in experiments if e.along == "complexity"]
    normalised = next((e for e in over_latents if e.reading == NORMALISED), None)
    wide = next((e for e in over_factors if _has_wider_betas(e)), None)
    printed = next((e for e in experiments if e.reading == PRINTED and len(e.planned_of())), None)
    return [
        Claim(
            "With normalised beta, more latents make beta matter more",
            "section 5.1.1",
            f"slope of the spread over beta, points a latent{by}",
            judge(normalised, KIM_MNIH, LAST).of(spread_slope) if normalised else None,
        ),
        Claim(
            "With more than four factors the best beta is larger than 8 or smaller than 1",
            "section 5.1.2",
            "mean of the best beta outside 1 to 8 less the best one inside, mean over the numbers "
            f"of factors above four, points{by}",
            judge(wide, KIM_MNIH, LAST).of(_outside_less_inside, lambda place: place > 4, 1)
            if wide
            else None,
        ),
        Claim(
            "Weighted votes make the score more sensitive",
            "section 5.2.2",
            "spread over beta by weighted votes less that by equal ones, mean over the settings, "
            "points (last epoch)",
            _by_weights(printed),
        ),
        Claim(
            "A target capacity (Burgess et al.) disentangles better than a weighted KL",
            "section 5.2.3",
            "best annealed_vae less best beta_vae, mean over the latents and images that "
            f"both have, points{by}",
            _best_against_best(experiments, "annealed_vae", BETA_VAE),
        ),
        Claim(
            "Capacities of their own for the latents are better still",
            "section 5.2.3",
            "best capacity_vae less best annealed_vae, mean over the latents and images that "
            f"both have, points{by}",
            _best_against_best(experiments, "capacity_vae", "annealed_vae"),
        ),
    ]


def _has_wider_betas(experiment: Experiment) -> bool:
    least, most = PUBLISHED_BETAS
    beta = experiment.planned_of()["beta"]
    return experiment.reading == PRINTED and bool(((beta < least) | (beta > most)).any())


def _outside_less_inside(means: Doubles, cells: Cells) -> Doubles:
    betas = np.array(cells.betas)
    inside = (betas >= PUBLISHED_BETAS[0]) & (betas <= PUBLISHED_BETAS[1])
    if inside.all() or not inside.any():
        return np.full(len(means), np.nan)
    best_outside, best_inside = means[..., ~inside].max(axis=-1), means[..., inside].max(axis=-1)
    found: Doubles = (best_outside - best_inside).mean(axis=-1)
    return found


def _by_weights(experiment: Experiment | None) -> Interval | None:
    """The two scores of a run stay together in the resamples."""
    if experiment is None:
        return None
    keys = ["place", "beta", "trial_id"]
    scores = [
        experiment.of(metric, LAST).set_index(keys)["value"].rename(metric)
        for metric in (WEIGHTED, KIM_MNIH)
    ]
    both = scores[0].to_frame().join(scores[1], how="inner").reset_index()
    cells = cells_of(both, experiment.planned_of(), [WEIGHTED, KIM_MNIH])
    if not cells.places or len(cells.betas) < 2:
        return None

    def gained(means: Doubles) -> Doubles:
        spreads = spread(np.moveaxis(cells.shaped(means), 3, 0))
        found: Doubles = (spreads[0] - spreads[1]).mean(axis=-1)
        return found

    return over_cells(cells.flat(), gained)


def _best_against_best(
    experiments: Sequence[Experiment], first: str, second: str
) -> Interval | None:
    """Of the cells, alike in latents, images and training, of which both methods have runs."""
    best: dict[str, dict[tuple[str, float], dict[str, np.ndarray]]] = {first: {}, second: {}}
    for experiment in experiments:
        if experiment.reading == PRINTED:
            for method, cells in best.items():
                rows = experiment.of(KIM_MNIH, LAST, method)
                latents = rows["place"] if experiment.along == "latents" else experiment.fixed
                for (training, size, setting), cell in rows.assign(latents=latents).groupby(
                    ["training", "latents", "setting"]
                ):
                    settings = cells.setdefault((str(training), float(str(size))), {})
                    settings[str(setting)] = cell["value"].to_numpy(dtype=float)
    shared = [key for key in best[first] if key in best[second]]
    if not shared:
        return None
    groups = [list(best[method][key].values()) for key in shared for method in best]
    ends = np.cumsum([len(group) for group in groups])

    def gained(means: Doubles) -> Doubles:
        parts = [part.max(axis=1) for part in np.split(means, ends[:-1], axis=1)]
        gains = [a - b for a, b in zip(parts[::2], parts[1::2], strict=True)]
        found: Doubles = np.mean(gains, axis=0)
        return found

    return over_cells([cell for group in groups for cell in group], gained)
