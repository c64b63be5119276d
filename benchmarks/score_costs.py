"""What a trial's scores cost: the codes that they are of, how often, and the CPU seconds of each.

A score is computed once, on one thread, of made-up codes as many as the dataset's. FID, whose
features an Inception network makes, and scores of cells (UDR) are not measured.
"""

from __future__ import annotations

import math
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from typing import NamedTuple

import numpy as np

import metrics
from benchmarks.metrics import code_table
from grids.datasets import RANDOM_NUISANCES, Song
from grids.metrics import EVIDENCE, TABLE, VOTES, offered
from grids.metrics import METRICS as TAKEN
from grids.settings import Evaluate
from grids.trial import Trial
from metrics.evidence import Evidence
from metrics.table import CodeTable
from metrics.votes import Votes
from orchestrator.codes import GLOBAL_IMAGES, rows_to_encode, shapes_for
from orchestrator.scoring import one_thread, sampled
from orchestrator.work import due_metrics, wanted_scores
from trainers.datasets.dataset import evaluation_grid
from trainers.datasets.song.source import VOTES_PER_FACTOR
from trainers.datasets.stored import EVALUATION_DRAWS

MEASURED = (TABLE, VOTES, EVIDENCE)


class Codes(NamedTuple):
    """How many there are, and of what shape."""

    shape: str
    sizes: tuple[int, ...]
    """Positions of each factor; of votes how many there are, and the images of each."""
    draws: int
    latents: int

    @property
    def rows(self) -> int:
        return self.draws * math.prod(self.sizes)


class Score(NamedTuple):
    metric: str
    size: str
    representation: str


class Images(NamedTuple):
    """That a trial encodes: for codes, and for the terms of the evidence."""

    encoded: int
    evaluated: int


def codes_for(trial: Trial, shape: str) -> Codes:
    dataset = trial.dataset
    if shape == TABLE:
        sizes = tuple(len(positions) for positions in evaluation_grid(dataset.factor_sizes))
        # Random numbers are drawn once a cell; of what is kept every image counts.
        random = dataset.nuisances == RANDOM_NUISANCES
        draws = 1 if random else min(dataset.nuisances, EVALUATION_DRAWS)
        return Codes(shape, sizes, draws, trial.latents)
    if shape == VOTES:
        assert isinstance(dataset, Song)
        votes = VOTES_PER_FACTOR * len(dataset.continuous_factors)
        return Codes(shape, (votes, dataset.vote_images), 1, trial.latents)
    return Codes(shape, (), 1, trial.latents)


def scored_steps(steps: int, settings: Evaluate) -> list[int]:
    during = (step for every in settings.intervals for step in range(every, steps + 1, every))
    return sorted({*during, steps})


def scores_of(trial: Trial, settings: Evaluate) -> Counter[tuple[Codes, Score]]:
    """How many of each it asks for, but for those of cells, which are not of one trial."""
    there = offered(trial.dataset)
    found: Counter[tuple[Codes, Score]] = Counter()
    for step in scored_steps(trial.steps, settings):
        for key in wanted_scores(trial.trial_id, step, trial.steps, settings):
            _, _, representation, metric, _, size, _ = key
            shape = next(shape for shape in TAKEN[metric] if shape in there)
            found[codes_for(trial, shape), Score(metric, size, representation)] += 1
    return found


def images_of(trial: Trial, settings: Evaluate) -> Images:
    """Over all steps at which it is scored, without those that an Inception network looks at."""
    encoded = evaluated = 0
    for step in scored_steps(trial.steps, settings):
        due = due_metrics(step, trial.steps, settings)
        shapes = shapes_for(trial, due)
        if TABLE in shapes:
            table, rows = codes_for(trial, TABLE), None
            if step < trial.steps:
                rows = rows_to_encode(trial, table.sizes, table.draws, due, settings)
            encoded += table.rows if rows is None else len(rows)
        if VOTES in shapes:
            encoded += codes_for(trial, VOTES).rows + GLOBAL_IMAGES
        if EVIDENCE in shapes:
            size = settings.final if step == trial.steps else settings.during
            evaluated += metrics.METRICS["elbo"].sizes[size]["images"]
    return Images(encoded, evaluated)


def made_up(codes: Codes) -> CodeTable | Votes | Evidence:
    if codes.shape == EVIDENCE:
        return Evidence(1, 1.0, np.ones(codes.latents))
    if codes.shape == TABLE:
        means = np.tile(code_table(codes.sizes, codes.latents).codes, (codes.draws, 1, 1))
        return CodeTable(means, codes.sizes, np.full_like(means, -2))
    votes, images = codes.sizes
    factors = votes // VOTES_PER_FACTOR
    labels = np.repeat(np.arange(factors), VOTES_PER_FACTOR)
    rng = np.random.default_rng(0)
    mixing = rng.standard_normal((factors, codes.latents), dtype=np.float32)
    positions = rng.random((votes, images, factors), dtype=np.float32)
    positions[np.arange(votes), :, labels] = rng.random((votes, 1), dtype=np.float32)
    means = positions @ mixing
    of_all = rng.random((GLOBAL_IMAGES, factors), dtype=np.float32) @ mixing
    logvars = np.full_like(means, -2), np.full_like(of_all, -2)
    return Votes(means, labels, factors, of_all, *logvars)


def score_seconds(
    wanted: Iterable[tuple[Codes, Score]], tell: Callable[[str], None]
) -> dict[tuple[Codes, Score], float]:
    """Seconds of CPU of each that is measured; a small table comes first, to compile on."""
    by_codes: dict[Codes, list[Score]] = defaultdict(list)
    for codes, score in sorted(wanted):
        if codes.shape in MEASURED:
            by_codes[codes].append(score)
    found: dict[tuple[Codes, Score], float] = {}
    compiled: set[str] = set()
    with one_thread():
        for number, (codes, scores) in enumerate(by_codes.items(), 1):
            tell(f"scores {number}/{len(by_codes)}: {codes.shape}, {codes.rows} x {codes.latents}")
            data = made_up(codes)
            for score in scores:
                if codes.shape == TABLE and score.metric not in compiled:
                    small = made_up(codes._replace(sizes=(4, 4, 4), draws=1))
                    _seconds(score._replace(size="fast"), small)
                    compiled.add(score.metric)
                found[codes, score] = _seconds(score, data)
    return found


def _seconds(score: Score, data: CodeTable | Votes | Evidence) -> float:
    if score.representation == "sampled" and not isinstance(data, Evidence):
        data = sampled(data, 0)
    started = time.process_time()
    metrics.score(score.metric, data, size=score.size, seed=0)
    return time.process_time() - started
