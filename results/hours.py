"""Which compute led to rows, and which was wasted: pure accounting on the attempts.

An attempt that made a row is useful as a whole. Of an attempt that was resumed from, the useful
fraction is the part of its steps that the successor did not have to repeat,

    (start_step of the successor - its start_step) / (its steps_done - its start_step),

for each of its stages alike. What is not useful is wasted, or, while a trial runs on, in progress.
Hence by stage

    useful + in progress + wasted = hours of attempts.

Hours are allocated: gpu_share (or cpus) times wall time. The time of an attempt outside its stages
is the stage `other`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import pandas as pd

from results.schema import STAGES

ALL_STAGES = (*STAGES, "other")
FINAL = ("completed", "diverged")
Key = tuple[str, str]


class Span(NamedTuple):
    """Steps [start_step, steps_done) of an attempt, and whose checkpoint it continued."""

    resumed_from: str | None
    start_step: int
    steps_done: int


def fractions(spans: Mapping[Key, Span], heads: Iterable[Key]) -> dict[Key, float]:
    """Fraction of each attempt's work that is in its head: 1 for a head itself.

    Keys are (attempt_id, trial_id). Walks back from each head; an attempt that no head leads to is
    left out, and none is visited twice.
    """
    found: dict[Key, float] = {}
    for head in heads:
        if head not in spans or head in found:
            continue
        found[head] = 1.0
        trial_id = head[1]
        needed_until = spans[head].start_step
        previous = spans[head].resumed_from
        while previous is not None and (key := (previous, trial_id)) in spans and key not in found:
            span = spans[key]
            trained = span.steps_done - span.start_step
            kept = min(needed_until, span.steps_done) - span.start_step
            found[key] = max(kept, 0) / trained if trained > 0 else 0.0
            needed_until = min(needed_until, span.start_step)
            previous = span.resumed_from
    return found


def account(attempts: pd.DataFrame, trials: pd.DataFrame, scores: pd.DataFrame) -> pd.DataFrame:
    """The attempts with `useful_fraction`, `in_progress_fraction` in [0, 1], one of them 0.

    A trial attempt made a row if the trial completed or diverged in it, or if it encoded the
    finished trial again for scores that were added later; a score attempt if a score names it. An
    interrupted attempt is in progress while its trial is unfinished: its checkpoint waits.
    """
    # Lists: pandas is slow to hand out strings one by one.
    ids, of_trials = attempts["attempt_id"].tolist(), attempts["trial_id"].tolist()
    keys = list(zip(ids, of_trials, strict=True))
    steps = zip(
        attempts["resumed_from"].tolist(),
        attempts["start_step"].tolist(),
        attempts["steps_done"].tolist(),
        strict=True,
    )
    spans = {
        key: Span(previous if isinstance(previous, str) else None, int(start), int(done))
        for key, (previous, start, done) in zip(keys, steps, strict=True)
    }
    final = trials[trials["status"].isin(FINAL)]
    encoded_again = attempts[
        (attempts["kind"] == "trial")
        & (attempts["outcome"] == "completed")
        & (attempts["start_step"] == attempts["steps_done"])
        & attempts["resumed_from"].isna()  # else training that was killed at its last step
    ]
    scored = scores[["attempt_id", "trial_id"]].drop_duplicates()
    useful = fractions(
        spans,
        [
            key
            for rows in (final, encoded_again, scored)
            for key in zip(rows["attempt_id"].tolist(), rows["trial_id"].tolist(), strict=True)
        ],
    )
    done = set(final["trial_id"])
    unfinished = [
        key
        for key, kind, outcome in zip(
            keys, attempts["kind"].tolist(), attempts["outcome"].tolist(), strict=True
        )
        if outcome in ("running", "interrupted")
        and key not in useful
        and not (kind == "trial" and key[1] in done)
    ]
    # Newest epoch first: what an attempt was resumed from is found from it, and not again.
    in_progress = fractions(spans, sorted(unfinished, reverse=True))
    return attempts.assign(
        useful_fraction=[useful.get(key, 0.0) for key in keys],
        in_progress_fraction=[0.0 if key in useful else in_progress.get(key, 0.0) for key in keys],
    )


def by_stage(accounted: pd.DataFrame) -> pd.DataFrame:
    """Index `stage`, columns `<useful|in_progress|wasted|total>_<gpu|cpu>_hours`."""
    stages = {stage: accounted[f"{stage}_seconds"].fillna(0.0) for stage in STAGES}
    stages["other"] = accounted["wall_seconds"] - sum(stages.values())
    fraction = {
        "useful": accounted["useful_fraction"],
        "in_progress": accounted["in_progress_fraction"],
    }
    fraction["wasted"] = 1.0 - fraction["useful"] - fraction["in_progress"]
    fraction["total"] = pd.Series(1.0, index=accounted.index)
    allocated = {"gpu": accounted["gpu_share"], "cpu": accounted["cpus"]}
    return pd.DataFrame(
        {
            f"{name}_{device}_hours": {
                stage: float((seconds * share * part).sum()) / 3600
                for stage, seconds in stages.items()
            }
            for device, share in allocated.items()
            for name, part in fraction.items()
        }
    ).rename_axis("stage")


def by_trial(accounted: pd.DataFrame) -> pd.DataFrame:
    """What a trial's row cost (index `trial_id`): `train_seconds`, `gpu_hours`, `cpu_hours`.

    The useful part of its trial attempts; hours of preparing, training and encoding, or measuring.
    Scoring is in the attempts.
    """
    tried = accounted[accounted["kind"] == "trial"]
    names = [f"{stage}_seconds" for stage in STAGES if stage != "score"]
    seconds = tried[names].sum(axis=1)
    useful = tried["useful_fraction"]
    return (
        pd.DataFrame(
            {
                "trial_id": tried["trial_id"],
                "train_seconds": useful * tried["train_seconds"],
                "gpu_hours": useful * seconds * tried["gpu_share"] / 3600,
                "cpu_hours": useful * seconds * tried["cpus"] / 3600,
            }
        )
        .groupby("trial_id")
        .sum()
    )
