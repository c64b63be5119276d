"""Fil et al. 2021: the disentanglement of beta-VAEs beside PCA and ICA, and their FID."""

from __future__ import annotations

from results.report.blocks import Block, Missing, Section
from results.report.claims import claims_table
from results.report.fil2021.claims import claims
from results.report.fil2021.disentanglement import disentanglement
from results.report.fil2021.latents import latents
from results.report.fil2021.reconstruction import against_disentanglement, images, pictures
from results.report.fil2021.runs import (
    CONV,
    FID,
    MLP,
    REPORT,
    SHAPES_2D,
    STAND_IN,
    Group,
    groups_of,
)
from results.report.studies import Studies


def sections(studies: Studies) -> list[Section]:
    """Of each study what it has, then what the latents do, then the claims."""
    groups = groups_of(studies)
    found = [
        _section(grid.study, studies, groups) for grid in studies.grids if grid.report == REPORT
    ]
    if missing := _missing(studies, groups):
        found.append(Section("Fil et al. 2021: not in these studies", missing))
    table = claims_table("fil_claims", claims(studies, groups))
    return [
        *found,
        Section("Fil et al. 2021: latents", latents(studies, groups)),
        Section("Fil et al. 2021: claims", [table], _of_stand_in(groups)),
    ]


def _of_stand_in(groups: list[Group]) -> str:
    there = {group.dataset for group in groups} & set(SHAPES_2D)
    if there != {STAND_IN}:
        return ""
    return "What is said of 2Dshapes is judged on the drawn stand-in: these studies do not have it."


def _section(study: str, studies: Studies, groups: list[Group]) -> Section:
    mine = [group for group in groups if group.study == study]
    blocks = [
        *disentanglement(study, mine, groups),
        *images(study, studies, mine),
        *against_disentanglement(study, mine),
        *pictures(study, studies, mine),
    ]
    waiting = sum(len(group.trials) - len(group.final) for group in mine)
    notes = []
    if waiting:
        planned = sum(len(group.trials) for group in mine)
        notes.append(f"{waiting} of {planned} trials have no score of their last step yet.")
    if not all(group.as_published for group in mine):
        notes.append("What was not trained as published has no published numbers beside it.")
    why = "No trial of this study has been scored at its last step yet."
    return Section(f"Fil et al. 2021, {study}", blocks or [Missing("Scores", why)], " ".join(notes))


def _missing(studies: Studies, groups: list[Group]) -> list[Block]:
    grids = "grids/fil2021/{0}.yaml or {0}-as-run.yaml"
    vaes = [group for group in groups if not group.baseline]
    of_fid = [g for g in studies.grids if g.report == REPORT and FID in g.evaluate.metrics]
    wanted = {
        "The MLP on 2Dshapes (table 1, figure 6)": (
            any(g.model == MLP and g.dataset in SHAPES_2D for g in vaes),
            "mlp",
        ),
        "The convolutional VAE (figure 3, table 2)": (any(g.model == CONV for g in vaes), "conv"),
        "PCA and ICA (table 1, figures 3 and 6)": (any(g.baseline for g in groups), "baselines"),
        "FID (table 3, figures 7 to 10)": (bool(of_fid), "fid"),
    }
    return [
        Missing(title, f"It takes {grids.format(name)}.")
        for title, (there, name) in wanted.items()
        if not there
    ]
