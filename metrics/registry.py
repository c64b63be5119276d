"""Every metric by name, and what is to be known of it. Loads none of their code.

To add one: a file with a function of its name, and an entry here and in `grids.metrics`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Literal, NamedTuple

Shape = Literal["table", "votes", "evidence", "cell", "inception"]
SHAPES: dict[Shape, str] = {
    "table": "a code table",
    "votes": "votes",
    "evidence": "the evidence of a trial",
    "cell": "the trials of a cell (alike but for their seeds)",
    "inception": "moments of Inception features",
}


class Metric(NamedTuple):
    """A metric and what is to be known about its scores.

    `metrics.<module>` has a function of the metric's name. function(data, *, seed, **sizes[size])
    gives a finite float for each name in `scores`, of which the first is the metric's value:
    `value_range` and `higher_is_better` are of it. `version` is raised by hand when a change of
    code changes values. `shapes` says what `data` may be. The sizes say what is drawn from a code
    table, or measured for it; given votes are all used. `cost_seconds` is what its full size takes
    on one thread, of 700,000 rows: what takes more than a second is scored in a task of its own.

    `draw` names the function of the module that makes all look-ups of the metric in a code table,
    of the same arguments, where the metric itself is slow to run: so it is known which rows to
    encode during training (`metrics.rows`). A dear metric without one has the whole table encoded.
    No metric draws by what the codes are.
    """

    module: str
    version: int
    sizes: Mapping[str, Mapping[str, int]]
    scores: tuple[str, ...]
    value_range: tuple[float, float]
    higher_is_better: bool
    citation: str
    summary: str
    shapes: frozenset[Shape] = frozenset({"table"})
    cost_seconds: float = 0.5
    draw: str = ""


# As many as CIFAR's training set has; fewer than 2,049 leave the covariances without full rank.
FID_SIZES = {"fast": {"images": 5_000}, "full": {"images": 50_000}}
EVIDENCE_SIZES = {"fast": {"images": 1_000}, "full": {"images": 10_000}}

METRICS: dict[str, Metric] = {
    "mig": Metric(
        module="mig",
        version=1,
        sizes={"fast": {"samples": 2_000}, "full": {"samples": 10_000}},
        scores=("mig",),
        value_range=(0.0, 1.0),
        higher_is_better=True,
        citation="Chen et al. 2018, equation 6; sizes of Locatello et al. 2019",
        summary="how much more one latent tells of a factor than the next one does",
    ),
    "factor_vae": Metric(
        module="factor_vae",
        version=1,
        sizes={
            "fast": {"variance_images": 1_000, "train_votes": 700, "eval_votes": 350},
            "full": {"variance_images": 10_000, "train_votes": 10_000, "eval_votes": 5_000},
        },
        scores=("factor_vae_score", "factor_vae_train_score", "factor_vae_active_latents"),
        value_range=(0.0, 1.0),
        higher_is_better=True,
        citation="Kim and Mnih 2018, section 4; sizes of Locatello et al. 2019",
        summary="how often the latent that stands still tells which factor was held fixed",
        shapes=frozenset({"table", "votes"}),
    ),
    "factor_vae_unpruned": Metric(
        module="factor_vae",
        version=1,
        sizes={
            "fast": {"variance_images": 1_000, "train_votes": 700, "eval_votes": 350},
            "full": {"variance_images": 10_000, "train_votes": 10_000, "eval_votes": 5_000},
        },
        scores=("factor_vae_unpruned_score", "factor_vae_unpruned_train_score"),
        value_range=(0.0, 1.0),
        higher_is_better=True,
        citation="Kim and Mnih 2018, section 4; prune threshold and sizes of disent",
        summary="the FactorVAE score in which dead latents vote too",
        shapes=frozenset({"table", "votes"}),
    ),
    "factor_vae_weighted": Metric(
        module="factor_vae_song",
        version=1,
        sizes={
            "fast": {"variance_images": 1_000, "train_votes": 700, "eval_votes": 350},
            "full": {"variance_images": 10_000, "train_votes": 10_000, "eval_votes": 5_000},
        },
        scores=(
            "factor_vae_weighted_score",
            "factor_vae_weighted_train_score",
            "factor_vae_weighted_mean_weight",
        ),
        value_range=(0.0, 1.0),
        higher_is_better=True,
        citation="Song 2018, section 5.2.2; sizes of Locatello et al. 2019",
        summary="the FactorVAE score with votes weighted by how still the latent stands",
        shapes=frozenset({"table", "votes"}),
    ),
    "factor_vae_printed": Metric(
        module="factor_vae_song",
        version=1,
        sizes={
            "fast": {"variance_images": 1_000, "votes": 700},
            "full": {"variance_images": 10_000, "votes": 10_000},
        },
        scores=("factor_vae_printed_score",),
        value_range=(0.0, 1.0),
        higher_is_better=False,
        citation="Song 2018, section 3.3.2; sizes of Locatello et al. 2019",
        summary="the FactorVAE score as misprinted: its classifier names the rarest factor",
        shapes=frozenset({"table", "votes"}),
    ),
    "factor_vae_ucl_legacy": Metric(
        module="factor_vae_song",
        version=1,
        sizes={
            "fast": {"variance_images": 10_000, "votes_a_factor": 80, "images_a_vote": 400},
            "full": {"variance_images": 10_000, "votes_a_factor": 80, "images_a_vote": 400},
        },
        scores=("factor_vae_ucl_legacy_score",),
        value_range=(0.0, 1.0),
        higher_is_better=True,
        citation="Song 2018, the code: main.py of github.com/chanyoungs/ucl_project_2018",
        summary="the FactorVAE score as Song's code has it: on the votes learned from",
        shapes=frozenset({"table", "votes"}),
    ),
    "modularity": Metric(
        module="modularity",
        version=1,
        sizes={"fast": {"samples": 2_000}, "full": {"samples": 10_000}},
        scores=("modularity",),
        value_range=(0.0, 1.0),
        higher_is_better=True,
        citation="Ridgeway and Mozer 2018, section 3; sizes of Locatello et al. 2019",
        summary="how nearly each latent tells of one factor only",
    ),
    "explicitness": Metric(
        module="explicitness",
        version=1,
        sizes={
            "fast": {"train_samples": 2_000, "test_samples": 1_000},
            "full": {"train_samples": 10_000, "test_samples": 5_000},
        },
        scores=("explicitness_test", "explicitness_train"),
        value_range=(0.0, 1.0),
        higher_is_better=True,
        citation="Ridgeway and Mozer 2018, section 3; model and sizes of Locatello et al. 2019",
        summary="how well a linear classifier ranks each position of each factor above the others",
        draw="draw",
    ),
    "beta_vae": Metric(
        module="beta_vae",
        version=1,
        sizes={
            "fast": {"train_points": 700, "eval_points": 350},
            "full": {"train_points": 10_000, "eval_points": 5_000},
        },
        scores=("beta_vae_score", "beta_vae_train_score"),
        value_range=(0.0, 1.0),
        higher_is_better=True,
        citation="Higgins et al. 2017, section 3; classifier and sizes of Locatello et al. 2019",
        summary="how often a linear classifier tells which factor pairs of images share",
        draw="draw",
    ),
    "beta_vae_fil": Metric(
        module="beta_vae_fil",
        version=1,
        sizes={
            "fast": {"train_points": 500, "test_points": 250},
            "full": {"train_points": 1_000, "test_points": 501},
        },
        scores=tuple(
            f"beta_vae_fil_{classifier}_{pairs}"
            for pairs in (64, 16, 128, 256)
            for classifier in ("linear", "mlp", "logistic", "forest")
        ),
        value_range=(0.0, 1.0),
        higher_is_better=True,
        citation="Fil et al. 2021, algorithm 1, table 2 and figure 6",
        summary="beta_vae by four classifiers and four numbers of pairs",
        cost_seconds=7.0,
    ),
    "beta_vae_fil_without_first": Metric(
        module="beta_vae_fil",
        version=1,
        sizes={
            "fast": {"train_points": 500, "test_points": 250},
            "full": {"train_points": 1_000, "test_points": 501},
        },
        scores=tuple(
            f"beta_vae_fil_without_first_{classifier}_{pairs}"
            for pairs in (64, 16, 128, 256)
            for classifier in ("linear", "mlp", "logistic", "forest")
        ),
        value_range=(0.0, 1.0),
        higher_is_better=True,
        citation="Fil et al. 2021, algorithm 1 and table 1 (4 factors)",
        summary="beta_vae_fil where pairs never share the first factor, shape in dSprites",
        cost_seconds=7.0,
    ),
    "downstream": Metric(
        module="downstream",
        version=1,
        sizes={"fast": {"test_samples": 1_000}, "full": {"test_samples": 5_000}},
        scores=(
            *(f"downstream_boosting_{samples}" for samples in (10_000, 1_000, 100, 10)),
            *(f"downstream_logistic_{samples}" for samples in (10_000, 1_000, 100, 10)),
            "downstream_boosting_efficiency",
            "downstream_logistic_efficiency",
        ),
        value_range=(0.0, 1.0),
        higher_is_better=True,
        citation="Locatello et al. 2019, section 5.5",
        summary="how well factors are told by boosted trees and logistic regression, from how few",
        cost_seconds=10.0,
        draw="draw",
    ),
    "sap": Metric(
        module="sap",
        version=1,
        sizes={
            "fast": {"train_samples": 2_000, "test_samples": 1_000},
            "full": {"train_samples": 10_000, "test_samples": 5_000},
        },
        scores=("sap",),
        value_range=(0.0, 1.0),
        higher_is_better=True,
        citation="Kumar et al. 2018, section 3; sizes of Locatello et al. 2019",
        summary="how much better one latent classifies a factor than the next one does",
        draw="draw",
    ),
    "sap_continuous": Metric(
        module="sap",
        version=1,
        sizes={"fast": {"samples": 2_000}, "full": {"samples": 10_000}},
        scores=("sap_continuous",),
        value_range=(0.0, 1.0),
        higher_is_better=True,
        citation="Kumar et al. 2018, section 3; sizes as for sap",
        summary="how much more of a factor's variance one latent explains than the next one does",
    ),
    "irs": Metric(
        module="irs",
        version=1,
        # Neither the study nor disent has it: the samples that they give to MIG.
        sizes={"fast": {"samples": 2_000}, "full": {"samples": 10_000}},
        scores=("irs", "irs_varying_latents"),
        value_range=(-1.0, 1.0),
        higher_is_better=True,
        citation="Suter et al. 2019; sizes of disentanglement_lib",
        summary="how little a latent moves while the factor that it stands for is held fixed",
    ),
    "unsupervised": Metric(
        module="unsupervised",
        version=1,
        sizes={"fast": {"samples": 2_000}, "full": {"samples": 10_000}},
        scores=(
            "unsupervised_gaussian_total_correlation",
            "unsupervised_gaussian_wasserstein",
            "unsupervised_gaussian_wasserstein_normalised",
            "unsupervised_mutual_information",
            "unsupervised_active_gaussian_total_correlation",
            "unsupervised_active_mutual_information",
            "unsupervised_active_latents",
        ),
        value_range=(0.0, math.inf),
        higher_is_better=False,
        citation="Locatello et al. 2019, section 5.1",
        summary="how far from independent the latents are, in nats",
    ),
    "flatness": Metric(
        module="flatness",
        version=1,
        sizes={"fast": {"repeats": 128}, "full": {"repeats": 1_024}},
        scores=(
            "flatness",
            "flatness_l1",
            "flatness_l2",
            "flatness_width_l1",
            "flatness_width_l2",
            "flatness_length_l1",
            "flatness_length_l2",
        ),
        value_range=(0.0, 1.0),
        higher_is_better=True,
        citation="Michlo, disent (2023), _flatness.py; sizes of disent",
        summary="how near the codes along a factor are to even steps along one latent",
    ),
    "distance_correlation": Metric(
        module="distance_correlation",
        version=1,
        sizes={
            "fast": {"repeats": 128, "triplets": 64},
            "full": {"repeats": 1_024, "triplets": 64},
        },
        scores=(
            *(
                f"distance_correlation_{kind}_{norm}_{where}"
                for norm in ("l2", "l1")
                for kind in ("rcorr", "lcorr", "rsame")
                for where in ("factor", "global")
            ),
            "distance_correlation_linear_ratio",
            "distance_correlation_axis_ratio",
            "distance_correlation_axis_alignment",
        ),
        value_range=(0.0, 1.0),
        higher_is_better=True,
        citation="Michlo, disent (2023), _factored_components.py; sizes of disent",
        summary="how well distances between codes follow distances between factors",
    ),
    "reconstruction": Metric(
        module="evidence",
        version=1,
        sizes=EVIDENCE_SIZES,
        scores=("reconstruction",),
        value_range=(-math.inf, math.inf),
        higher_is_better=False,
        citation="Kingma and Welling 2014, equation 3; Locatello et al. 2019",
        summary="the trial's loss of an image, nats or squared error",
        shapes=frozenset({"evidence"}),
    ),
    "kl": Metric(
        module="evidence",
        version=1,
        sizes=EVIDENCE_SIZES,
        scores=("kl", "kl_active_latents"),
        value_range=(0.0, math.inf),
        higher_is_better=False,
        citation="Kingma and Welling 2014, equation 3; Locatello et al. 2019",
        summary="nats that the posterior tells beyond the prior",
        shapes=frozenset({"evidence"}),
    ),
    "elbo": Metric(
        module="evidence",
        version=1,
        sizes=EVIDENCE_SIZES,
        scores=("elbo",),
        value_range=(-math.inf, math.inf),
        higher_is_better=True,
        citation="Kingma and Welling 2014, equation 3; Locatello et al. 2019",
        summary="the negative sum of both, a bound of the log-likelihood",
        shapes=frozenset({"evidence"}),
    ),
    "udr": Metric(
        module="udr",
        version=1,
        sizes={"fast": {"images": 1_000}, "full": {"images": 1_000}},
        scores=("udr_lasso", "udr_spearman"),
        value_range=(0.0, 1.0),
        higher_is_better=True,
        citation="Duan et al. 2020, section 4; sizes of disentanglement_lib",
        summary="how far the models of other seeds have found the same latents",
        shapes=frozenset({"cell"}),
        cost_seconds=2.0,
    ),
    "fid_reconstruction": Metric(
        module="fid",
        version=1,
        sizes=FID_SIZES,
        scores=("fid_reconstruction",),
        value_range=(0.0, math.inf),
        higher_is_better=False,
        citation="Heusel et al. 2017, equation 6; Fil et al. 2021, section 2.2",
        summary="Fréchet distance of reconstructions from their originals, in Inception features",
        shapes=frozenset({"inception"}),
        cost_seconds=10.0,
    ),
    "fid_sample": Metric(
        module="fid",
        version=1,
        sizes=FID_SIZES,
        scores=("fid_sample",),
        value_range=(0.0, math.inf),
        higher_is_better=False,
        citation="Heusel et al. 2017, equation 6",
        summary="Fréchet distance of draws of the prior from the dataset, in Inception features",
        shapes=frozenset({"inception"}),
        cost_seconds=10.0,
    ),
    "dci": Metric(
        module="dci",
        version=1,
        sizes={
            "fast": {"train_samples": 1_000, "test_samples": 500},
            "full": {"train_samples": 10_000, "test_samples": 5_000},
        },
        scores=(
            "dci_disentanglement",
            "dci_completeness",
            "dci_informativeness_train",
            "dci_informativeness_test",
        ),
        value_range=(0.0, 1.0),
        higher_is_better=True,
        citation="Eastwood and Williams 2018, section 2; trees and sizes of Locatello et al. 2019",
        summary="how nearly each latent serves a single factor, by the splits of boosted trees",
        cost_seconds=5.0,
        draw="draw",
    ),
    "dci_sklearn": Metric(
        module="dci",
        version=1,
        sizes={
            "fast": {"train_samples": 1_000, "test_samples": 500},
            "full": {"train_samples": 10_000, "test_samples": 5_000},
        },
        scores=(
            "dci_sklearn_disentanglement",
            "dci_sklearn_completeness",
            "dci_sklearn_informativeness_train",
            "dci_sklearn_informativeness_test",
        ),
        value_range=(0.0, 1.0),
        higher_is_better=True,
        citation="Eastwood and Williams 2018, section 2; trees and sizes of Locatello et al. 2019",
        summary="dci with scikit-learn's own trees, which take minutes at full size",
        cost_seconds=240.0,
        draw="draw",
    ),
}


def function_of(name: str) -> Callable[..., dict[str, float]]:
    """The function of a metric; its modules are loaded now, for some compile."""
    function: Callable[..., dict[str, float]] = getattr(
        import_module(f"metrics.{METRICS[name].module}"), name
    )
    return function


def metrics_for(shape: Shape) -> list[str]:
    """The names of the metrics that take such data."""
    return [name for name, metric in METRICS.items() if shape in metric.shapes]
