"""Song 2018: scores over the latents and over the factors of the images, for each beta."""

from __future__ import annotations

from dataclasses import replace

from results.report.blocks import Block, Missing, Section
from results.report.claims import claims_table
from results.report.song2018.claims import claims_of
from results.report.song2018.experiments import (
    ALONG,
    LAST,
    LEGACY,
    READINGS,
    Experiment,
    experiments_of,
    no_experiment,
    trials_of,
)
from results.report.song2018.latents import latents
from results.report.song2018.questions import open_questions
from results.report.song2018.scores import scores
from results.report.studies import Studies


def sections(studies: Studies) -> list[Section]:
    """Of each study its experiments, then what the latents follow, then the claims."""
    found = experiments_of(studies)
    return [
        *(_section(experiment) for experiment in found),
        *_missing(found),
        Section("Song 2018: what each latent follows", latents(studies, trials_of(studies))),
        Section("Song 2018: claims", _claims(found)),
    ]


def _section(experiment: Experiment) -> Section:
    along = ALONG[experiment.along]
    title = f"Song 2018, {experiment.study}: scores over {along.axis}, {experiment.held}"
    note = []
    if experiment.planned["beta"].notna().any():
        note.append(f"Betas {experiment.reading}: {READINGS[experiment.reading]}")
    if experiment.published:
        note.append(
            "Published numbers are those beside the thesis' code, of two runs, so of betas as run "
            "and of the score as that code has it; they stand beside ours of the same name."
        )
    else:
        note.append("Not trained as published, so that no published number stands beside ours.")
    waiting, planned = experiment.waiting, len(experiment.planned)
    if waiting:
        note.append(f"{waiting} of {planned} trials have no score of their last step yet.")
    if experiment.rows.empty:
        why = "No trial of this study has been scored at its last step yet."
        return Section(title, [Missing("Scores", why)], " ".join(note))
    return Section(title, scores(experiment), " ".join(note))


def _claims(found: list[Experiment]) -> list[Block]:
    blocks: list[Block] = []
    for experiment in found:
        if len(experiment.planned_of()):
            table = claims_table(f"{experiment.name}_claims", claims_of(experiment))
            title = f"{experiment.study}, {experiment.held}, betas {experiment.reading}"
            blocks.append(replace(table, title=title))
    for along in ALONG:
        if not any(e.along == along and len(e.planned_of()) for e in found):
            table = claims_table(
                f"song_claims_{along}", claims_of(no_experiment(along), [LEGACY], [LAST])
            )
            blocks.append(replace(table, title=f"Over {ALONG[along].axis}"))
    expected = claims_table("song_questions", open_questions(found))
    return [*blocks, replace(expected, title="What the thesis expects of runs it did not make")]


def _missing(found: list[Experiment]) -> list[Section]:
    there = {experiment.along for experiment in found}
    blocks = [
        Missing(f"Scores over {along.axis} ({along.figures})", f"It takes {along.grid_file}.")
        for name, along in ALONG.items()
        if name not in there
    ]
    return [Section("Song 2018: not in these studies", list(blocks))] if blocks else []
