from __future__ import annotations

import gc
import io
import math
import threading
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from grids import parts
from grids.trial import Trial
from trainers import make_dataset
from trainers.capture import STEPS_A_GRAPH, CapturedSteps
from trainers.fit import Report, Training, finite, fit, next_report, report_every
from trainers.objectives.step import Step
from trainers.pixels import Pixels
from trainers.sampling import cells, nuisances
from trainers.streams import Stream, normals

MakeTrial = Callable[..., Trial]
Reports = list[tuple[int, Report]]

# Reports are 3 steps apart in trials of 130 steps.
INTERRUPTED_AT = [1, 2, 3, 64, 129]
TRAINED = [name for name, part in parts.FRAMEWORKS.items() if not part.closed_form]
MLP = {"model": parts.LinearModel()}  # quick, so that many kinds can be shown
KINDS: dict[str, dict[str, Any]] = {
    **{name: {"name": name} | MLP for name in TRAINED},
    "convolutions": {},
    "bf16": {"precision": "bf16"},
    "bernoulli": {"dataset": parts.XYSquares(grid_size=2), "reconstruction": parts.Bernoulli()},
    "sigma": {"reconstruction": parts.Gaussian(sigma=0.5)} | MLP,
    "learned sigma": {"reconstruction": parts.Gaussian(learned=True)} | MLP,
    "adagrad": {"optimizer": parts.Adagrad()} | MLP,
    "rate schedule": {"lr_schedule": parts.StepSchedule(at=0.3)} | MLP,
    "beta schedule": {"beta_schedule": parts.LinearSchedule(steps=100)} | MLP,
    "without replacement": {"sampling": "without_replacement", "batch_size": 5} | MLP,
    "pairs without replacement": {"name": "ada_gvae", "sampling": "without_replacement"} | MLP,
    "stratified": {"name": "beta_tc_vae", "framework": parts.BetaTCVAE(estimator="stratified")}
    | MLP,
    "second batch": {
        "name": "factor_vae",
        "framework": parts.FactorVAE(permutation="second_batch", width=20),
        "sampling": "without_replacement",
    }
    | MLP,
    "settling capacities": {
        "name": "capacity_vae",
        "framework": parts.CapacityVAE(
            variant="settle", anneal_steps=100, window_steps=7, rise_nats=1e-3, settled_ratio=0.5
        ),
    }
    | MLP,
}


def start(trial: Trial) -> Training:
    return Training(trial, make_dataset(trial.dataset), "cpu")


def run(trial: Trial, state: dict[str, Any] | None = None) -> tuple[Training, Reports]:
    reports: Reports = []
    training = fit(
        trial,
        make_dataset(trial.dataset),
        device="cpu",
        state=state,
        report=lambda step, terms: reports.append((step, terms)),
    )
    return training, reports


def through_a_file(state: dict[str, Any]) -> dict[str, Any]:
    file = io.BytesIO()
    torch.save(state, file)
    file.seek(0)
    loaded: dict[str, Any] = torch.load(file, weights_only=True)
    return loaded


def assert_same_state(one: Training, other: Training) -> None:
    def flat(value: Any) -> list[Any]:
        if isinstance(value, dict):
            return [item for key in value for item in [key, *flat(value[key])]]
        return [value]

    for a, b in zip(flat(one.state_dict()), flat(other.state_dict()), strict=True):
        assert torch.equal(a, b) if isinstance(a, Tensor) else a == b


@pytest.mark.parametrize("kind", KINDS)
def test_an_interrupted_trial_ends_as_one_that_ran_through(trial_of: MakeTrial, kind: str) -> None:
    trial = trial_of(**({"name": "beta_vae"} | KINDS[kind]))
    through, reports = run(trial)
    assert [step for step, _ in reports] == [*range(3, 130, 3), 130]

    interrupted, seen = start(trial), []
    for step in INTERRUPTED_AT:
        while interrupted.step < step:
            until = min(next_report(trial, interrupted.step), step)
            interrupted.advance(until - interrupted.step)
            if interrupted.step == next_report(trial, interrupted.step - 1):
                seen.append((interrupted.step, interrupted.report()))
        state = through_a_file(interrupted.state_dict())
        interrupted = start(trial)
        torch.rand(7)  # torch's own generator plays no part
        interrupted.load_state_dict(state)
    resumed, rest = run(trial, state)
    assert_same_state(resumed, through)
    assert seen + rest == reports


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_steps_taken_together_are_steps_taken_one_by_one(
    small_trial: MakeTrial, precision: str
) -> None:
    together, one_by_one = (start(small_trial(precision=precision)) for _ in range(2))
    together.advance(4)
    for _ in range(4):
        one_by_one.advance(1)
    assert_same_state(together, one_by_one)


@pytest.mark.parametrize("kind", ["convolutions", "without replacement", "second batch"])
def test_a_graph_of_several_steps_is_given_the_images_of_each(
    trial_of: MakeTrial, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    class Together:
        """As a captured graph: between its steps the host does nothing."""

        def __init__(self) -> None:
            self.runs: list[int] = []

        def run(self, one_step: Callable[[], None], most: int) -> int:
            steps = STEPS_A_GRAPH if most >= STEPS_A_GRAPH else 1
            for _ in range(steps):
                one_step()
            self.runs.append(steps)
            return steps

    trial = trial_of(**({"name": "beta_vae"} | KINDS[kind]))
    plain = start(trial)
    monkeypatch.setattr("trainers.batches.steps_ahead", lambda *_: (32, 16))
    graphs, together = start(trial), Together()
    monkeypatch.setattr(graphs, "_captured", together)
    for steps in (3, 17, 1):
        graphs.advance(steps)
    plain.advance(21)
    assert_same_state(graphs, plain)
    # The batches of the first 16 steps lie there, then those of 16 more.
    assert together.runs == [1, 1, 1, 8, *[1] * 5, *[1] * 4, 1]


def test_a_training_goes_at_once_when_it_is_let_go(small_trial: MakeTrial) -> None:
    """With its graphs: their end at a moment of Python's choice would break other captures."""
    training = start(small_trial())
    training._captured = CapturedSteps()
    training._batches.reach(0)
    training._captured.run(training._one_step, 1)  # the first of those that warm up
    gone = [weakref.ref(training), weakref.ref(training._captured)]
    gc.disable()
    try:
        del training
        assert [reference() for reference in gone] == [None, None]
    finally:
        gc.enable()


def test_the_end_of_a_graph_may_come_while_its_thread_sets_up_libraries() -> None:
    """As when Python collects a cycle in the middle of a step that warms up."""
    done = threading.Event()

    def warm_up() -> None:
        CapturedSteps().run(lambda: CapturedSteps().__del__(), 1)
        done.set()

    threading.Thread(target=warm_up, daemon=True).start()
    assert done.wait(10), "locked by itself"


@pytest.mark.gpu
@pytest.mark.parametrize("kind", KINDS)
def test_captured_steps_give_the_bits_of_steps_without_a_graph(
    trial_of: MakeTrial, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    trial = trial_of(**({"name": "beta_vae"} | KINDS[kind]))
    plain, captured = (Training(trial, make_dataset(trial.dataset), "cuda") for _ in range(2))
    monkeypatch.setattr(plain, "_captured", None)
    for steps in (1, 12, 27):
        plain.advance(steps)
        captured.advance(steps)
    assert_same_state(captured, plain)
    assert captured.report() == plain.report()


@pytest.mark.gpu
def test_a_trial_gives_its_bits_beside_others(trial_of: MakeTrial) -> None:
    trials = [trial_of("beta_vae", seed=seed) for seed in range(4)]
    dataset = make_dataset(trials[0].dataset)
    alone = [Training(trial, dataset, "cuda") for trial in trials]
    for training in alone:
        training.advance(60)
    torch.cuda.synchronize()
    streams = [torch.cuda.Stream() for _ in trials]
    beside = []
    for trial, stream in zip(trials, streams, strict=True):
        with torch.cuda.stream(stream):
            beside.append(Training(trial, dataset, "cuda"))
    for _ in range(6):
        for training, stream in zip(beside, streams, strict=True):
            with torch.cuda.stream(stream):
                training.advance(10)
    torch.cuda.synchronize()
    for one, other in zip(alone, beside, strict=True):
        assert_same_state(one, other)


def test_a_state_is_a_copy_and_is_copied(small_trial: MakeTrial) -> None:
    training = start(small_trial())
    training.advance(2)
    state = training.state_dict()
    training.advance(1)
    for _ in range(2):
        resumed = start(small_trial())
        resumed.load_state_dict(state)
        resumed.advance(1)
        assert_same_state(resumed, training)


def test_trials_differ_by_their_seed(small_trial: MakeTrial) -> None:
    losses = set()
    for seed in range(3):
        training = start(small_trial(seed=seed))
        training.advance(1)
        losses.add(training.report()["loss"])
    assert len(losses) == 3


@pytest.mark.parametrize("name", TRAINED)
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_short_training_lowers_the_loss(trial_of: MakeTrial, name: str, precision: str) -> None:
    fields: dict[str, Any] = {}
    if name in ("annealed_vae", "capacity_vae"):
        # Their loss falls where the KL can follow the capacity, which grows.
        fields["framework"] = parts.FRAMEWORKS[name](anneal_steps=60, gamma=1.0)  # type: ignore[call-arg]
    trial = trial_of(
        name,
        dataset=parts.XYSquares(grid_size=4, standardise=True),
        precision=precision,
        steps=60,
        batch_size=8,
        **fields,
    )
    training, reports = run(trial)
    assert all(finite(report) for _, report in reports)
    losses = [report["loss"] for _, report in reports]
    assert all(isinstance(loss, float) for loss in losses)
    assert sum(losses[-10:]) < 0.97 * sum(losses[:10])  # type: ignore[arg-type]
    assert training.step == 60
    assert not training.diverged


def test_an_annealed_vae_follows_its_capacity(trial_of: MakeTrial) -> None:
    trial = trial_of(
        "annealed_vae",
        framework=parts.AnnealedVAE(gamma=100.0, capacity_nats=5.0, anneal_steps=200),
        dataset=parts.XYSquares(grid_size=2),
        steps=300,
        batch_size=8,
    )
    _, reports = run(trial)
    kl, capacity = (
        np.array([report[term] for _, report in reports]) for term in ("kl_nats", "capacity_nats")
    )
    # A report is the mean of five steps, the last of them the step before its own.
    steps = np.array([step for step, _ in reports])
    expected = np.minimum(1, (steps[:, None] - np.arange(1, 6)) / 200).mean(axis=1) * 5
    np.testing.assert_allclose(capacity, expected, rtol=1e-5)
    assert np.corrcoef(kl, capacity)[0, 1] > 0.95
    assert abs(kl[-20:].mean() - 5) < 0.25


@pytest.mark.parametrize("name", ["pca", "ica"])
def test_a_baseline_is_fitted_in_its_one_step_and_resumes(trial_of: MakeTrial, name: str) -> None:
    trial = trial_of(name)
    through, reports = run(trial)
    assert [step for step, _ in reports] == [1]
    assert "kl_nats" not in reports[0][1] and "kl_nats_by_latent" not in reports[0][1]
    assert finite(reports[0][1])
    again, none = run(trial, through_a_file(through.state_dict()))
    assert_same_state(again, through)
    assert none == []
    from_the_start, _ = run(trial, through_a_file(start(trial).state_dict()))
    assert_same_state(from_the_start, through)


def test_without_replacement_an_epoch_shows_every_image_once(small_trial: MakeTrial) -> None:
    trial = small_trial(sampling="without_replacement", batch_size=16, steps=8)  # 64 images
    seen: list[Tensor] = []

    class Seen(Training):
        def _batch(self) -> Step:
            step = super()._batch()
            seen.append(step.images_BCHW.flatten(1))
            return step

    training = Seen(trial, make_dataset(trial.dataset), "cpu")
    training.advance(8)
    first, second = torch.cat(seen[:4]), torch.cat(seen[4:])
    assert len(torch.unique(first, dim=0)) == len(torch.unique(second, dim=0)) == 64
    assert not torch.equal(first, second)


def test_a_step_is_adam_on_the_loss_of_the_batch_that_the_streams_name(
    small_trial: MakeTrial,
) -> None:
    optimizer = parts.Adam(lr=2e-3, beta1=0.8, beta2=0.99, eps=1e-6)
    trial = small_trial(seed=5, optimizer=optimizer)
    training, plain = start(trial), start(trial)
    dataset = make_dataset(trial.dataset)
    sizes = torch.tensor(dataset.factor_sizes)
    adam = torch.optim.Adam(plain.model.parameters(), 2e-3, (0.8, 0.99), 1e-6, foreach=False)
    losses = []
    for step in range(3):
        images = dataset.images(cells(5, step, 4, sizes), nuisances(5, step, 4, 1))
        target = Pixels(dataset, torch.device("cpu")).to_float(images)
        noise = normals(5, Stream.LATENT_NOISE, step, 4, 3, dtype=torch.float32)
        mean, logvar = plain.model.encode(target)
        output = plain.model.decode(mean + torch.exp(logvar / 2) * noise)
        kl = 0.5 * (mean**2 + logvar.exp() - logvar - 1)
        loss = ((output - target) ** 2).mean() + 1e-3 * kl.mean()
        adam.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        adam.step()
        losses.append(loss.item())
    training.advance(3)
    assert training.report()["loss"] == pytest.approx(sum(losses) / 3, rel=1e-6)
    for ours, theirs in zip(training.model.parameters(), plain.model.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", [name for name in TRAINED if parts.FRAMEWORKS[name].posterior])
def test_a_report_is_the_mean_of_the_terms_of_its_steps(trial_of: MakeTrial, name: str) -> None:
    framework = parts.FRAMEWORKS[name]
    together, one_by_one = (start(trial_of(name, model=parts.LinearModel())) for _ in range(2))
    together.advance(3)
    report = together.report()
    single = []
    for _ in range(3):
        one_by_one.advance(1)
        single.append(one_by_one.report())
    names = ["loss", "reconstruction_per_image", "kl_nats", *framework.terms]
    assert list(report) == [*names, "kl_nats_by_latent"]
    for name in names:
        values = [terms[name] for terms in single]
        assert report[name] == pytest.approx(sum(values) / 3, rel=1e-12)  # type: ignore[arg-type]
    by_latent = report["kl_nats_by_latent"]
    assert isinstance(by_latent, list)
    assert len(by_latent) == 3
    assert sum(by_latent) == pytest.approx(report["kl_nats"], rel=1e-5)


def test_the_terms_of_a_bf16_trial_are_summed_in_single_precision(small_trial: MakeTrial) -> None:
    trial = small_trial(precision="bf16", seed=5)
    training = start(trial)
    sizes = torch.tensor(training.dataset.factor_sizes)
    images = training.dataset.images(cells(5, 0, 4, sizes), nuisances(5, 0, 4, 1))
    target = Pixels(training.dataset, torch.device("cpu")).to_float(images)
    noise = normals(5, Stream.LATENT_NOISE, 0, 4, 3, dtype=torch.float32)
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        mean, logvar = (values.double() for values in training.model.encode(target))
        output = training.model.decode((mean + torch.exp(logvar / 2) * noise).float()).double()
    error = ((output - target) ** 2).flatten(1).sum(dim=1).mean()
    kl = (0.5 * (mean**2 + logvar.exp() - logvar - 1)).mean(dim=0)

    training.advance(1)
    report = training.report()
    # bfloat16 has 8 significant bits: it would be wrong by 1e-3.
    assert report["reconstruction_per_image"] == pytest.approx(float(error), rel=1e-5)
    assert report["kl_nats_by_latent"] == pytest.approx(kl.tolist(), rel=1e-5)
    assert all(parameter.dtype == torch.float32 for parameter in training.model.parameters())


def test_a_step_neither_reads_from_the_device_nor_brings_values_to_it(
    trial_of: MakeTrial,
) -> None:
    """Either breaks the capture of a step as a CUDA graph."""

    class OnDevice(TorchDispatchMode):  # type: ignore[no-untyped-call]
        def __torch_dispatch__(
            self, func: Any, types: Any, args: Any = (), kwargs: Any = None
        ) -> Any:
            assert "_local_scalar_dense" not in str(func)
            assert "nonzero" not in str(func)
            assert "lift_fresh" not in str(func)  # torch.tensor of values of the host
            return func(*args, **(kwargs or {}))

    for name, kind in KINDS.items():
        if name in ("adagrad", "rate schedule"):
            continue  # torch's CPU kernels read the step or the rate, which are the host's here
        training = start(trial_of(**({"name": "beta_vae"} | kind)))
        training.advance(1)
        with OnDevice():  # type: ignore[no-untyped-call]
            training.advance(2)
            with pytest.raises(AssertionError):
                float(next(training.model.parameters()).sum())
            with pytest.raises(AssertionError):
                torch.tensor(1.0)


def test_a_loss_that_is_not_finite_ends_the_trial_at_its_report(small_trial: MakeTrial) -> None:
    training, reports = run(small_trial(optimizer=parts.Adam(lr=1e8)))
    assert training.diverged
    assert training.step == reports[-1][0] < 130
    assert training.step % 3 == 0
    assert [finite(report) for _, report in reports] == [True] * (len(reports) - 1) + [False]
    resumed, no_reports = run(small_trial(), through_a_file(training.state_dict()))
    assert resumed.diverged
    assert no_reports == []


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_finite_looks_at_every_term(value: float) -> None:
    good: Report = {"loss": 1.0, "kl_nats_by_latent": [0.0, 2.0]}
    assert finite(good)
    assert not finite(good | {"loss": value})
    assert not finite(good | {"kl_nats_by_latent": [0.0, value]})


@pytest.mark.parametrize(
    ("steps", "every"), [(1, 1), (60, 1), (61, 2), (1200, 20), (57_600, 960), (115_200, 1920)]
)
def test_reports_are_at_most_sixty(small_trial: MakeTrial, steps: int, every: int) -> None:
    assert report_every(small_trial(steps=steps)) == every


@given(st.integers(1, 10_000))
def test_the_last_step_has_a_report(small_trial: MakeTrial, steps: int) -> None:
    trial = small_trial(steps=steps)
    at = [0]
    while at[-1] < steps:
        at.append(next_report(trial, at[-1]))
    assert at[-1] == steps
    assert len(at) - 1 <= 60
    assert all(b - a == report_every(trial) for a, b in zip(at[:-2], at[1:-1], strict=True))
    middle = steps // 2
    assert next_report(trial, middle) == min(step for step in at if step > middle)


def test_an_image_size_that_the_model_does_not_take_is_refused(small_trial: MakeTrial) -> None:
    with pytest.raises(ValueError, match="64"):
        start(small_trial(dataset=parts.XYSquares(image_size=32, grid_size=2)))


class Numbered:
    """Images whose first pixels are their factors and the draw of their nuisance."""

    factor_names, factor_sizes = ("a", "b"), (5, 9)
    nuisances, image_shape, standardise = 10, (1, 64, 64), False

    def images(self, factors_BF: Tensor, nuisance_B: Tensor) -> Tensor:
        images = torch.zeros(len(factors_BF), 1, 64, 64, dtype=torch.uint8)
        images[:, 0, 0, :2] = factors_BF.to(torch.uint8)
        images[:, 0, 0, 2] = nuisance_B.to(torch.uint8)
        return images


def numbers_of(step: Step) -> list[tuple[int, ...]]:
    return [tuple(row) for row in (255 * step.images_BCHW[:, 0, 0, :3]).round().int().tolist()]


@pytest.fixture
def of_numbered(trial_of: MakeTrial, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Training]:
    def make(name: str) -> Training:
        monkeypatch.setattr(Trial, "images", 450)
        trial = trial_of(
            name,
            dataset=parts.DATASETS["smallnorb"](),
            sampling="without_replacement",
            batch_size=45,
            **MLP,
        )
        return Training(trial, Numbered(), "cpu")  # type: ignore[arg-type]

    return make


def batches(training: Training, count: int) -> list[list[tuple[int, ...]]]:
    found = []
    for step in range(count):
        training._batches.reach(step)
        found.append(numbers_of(training._batch()))
        training._device_step += 1
    return found


def test_each_draw_of_a_nuisance_is_an_image_of_an_epoch(
    of_numbered: Callable[..., Training],
) -> None:
    first, second = (
        [image for batch in half for image in batch]
        for half in (lambda b: (b[:10], b[10:]))(batches(of_numbered("beta_vae"), 20))
    )
    every = {(a, b, r) for a in range(5) for b in range(9) for r in range(10)}
    assert set(first) == set(second) == every and len(first) == 450
    assert first != second


def test_partners_of_pairs_have_nuisances_of_their_own(
    of_numbered: Callable[..., Training],
) -> None:
    drawn = batches(of_numbered("ada_gvae"), 10)
    firsts = [image for batch in drawn for image in batch[:45]]
    partners = [image for batch in drawn for image in batch[45:]]
    assert len(set(firsts)) == len(firsts) == 450
    same = sum(a[2] == b[2] for a, b in zip(firsts, partners, strict=True))
    assert 15 <= same <= 80  # of 450, one in ten by chance: 45 +- 5 standard deviations
