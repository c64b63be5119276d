"""The batches of a trial, drawn several steps ahead.

What a step is given depends on the trial and the step only, so that many can be drawn at once. A
draw is some hundred short operations: on a GPU each costs as much for one step as for a hundred.
`reach` draws, on the host's word; a step, captured or not, only looks its own up, in tensors that
keep their addresses.

S steps, B rows drawn of each, R rows with the partners of pairs, F factors, Z latents.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from grids.datasets import RANDOM_NUISANCES
from grids.parts import AdaGVAE, AdaMLVAE, ConstantSchedule, FactorVAE
from grids.trial import Trial
from trainers.capture import STEPS_A_GRAPH
from trainers.datasets.dataset import Dataset
from trainers.objectives.factor_vae import permutations
from trainers.objectives.step import Step
from trainers.pixels import Pixels
from trainers.sampling import Epochs, cells, images_of, nuisances, pairs
from trainers.schedules import factor
from trainers.streams import Stream, normals

# What a training on a GPU draws at once, at most.
STEPS_AHEAD = 1024
NOISE_AHEAD = 2**22
"""Numbers of the noise, or of the factors where they are more; drawing one takes some 50 bytes for
the moment."""
IMAGE_BYTES_AHEAD = 2**27
"""Of the images; drawing them takes two or three times as many for the moment."""


class Batches:
    """Images on the model's scale and the noise of their latents; of pairs, partners last."""

    def __init__(self, trial: Trial, dataset: Dataset, device: torch.device) -> None:
        self.trial, self.dataset, self.device = trial, dataset, device
        self._rows = trial.batch_size * trial.framework.drawn_per_row
        self._sizes_F = torch.tensor(dataset.factor_sizes, dtype=torch.int64, device=device)
        self._positions = [torch.arange(size, device=device) for size in dataset.factor_sizes]
        self._pixels = Pixels(dataset, device)
        self._shuffled = trial.batch_size // trial.framework.rows_multiple
        self._beta = 1.0 if trial.beta is None else trial.beta
        self._epochs: Epochs | None = None
        if trial.sampling == "without_replacement":
            self._epochs = Epochs(trial.seed, trial.images, self._rows, device)
        self._steps_of_numbers, self._steps = steps_ahead(trial, dataset, device)
        # What lies ahead, by name: [S * R, ...], of the steps from the first on. Made once, then
        # written over, as captured steps read it.
        self._ahead: dict[str, Tensor] = {}
        self._first = -self._steps
        # The rows of step 0, if it lay there: below 0 where it lies behind.
        self._row_R = torch.zeros(images_a_step(trial), dtype=torch.int64, device=device)
        # Numbers of the steps beyond those, without their images.
        self._numbers: dict[int, dict[str, Tensor]] = {}

    def reach(self, step: int) -> int:
        """Before a step is made, or captured: draws its batch and the next ones, if need be.

        Says of how many steps, from this one on, the batches are there: at least 1.
        """
        if not self._first <= step < self._first + self._steps:
            self._draw(step)
        return self._first + self._steps - step

    def of_step(self, number: Tensor) -> Step:
        """What lies there of a step that was reached; `number` is an int64 scalar on the device."""
        others = dict(self._ahead)
        images_BCHW, noise_BZ = self._pixels.of_step(
            others.pop("images"), others.pop("noise"), self._row_R, number
        )
        own: dict[str, Tensor] = {}
        if others:
            row_R = torch.add(self._row_R, number, alpha=len(self._row_R))
            own = {name: ahead.index_select(0, row_R) for name, ahead in others.items()}
        return Step(
            images_BCHW,
            noise_BZ,
            number,
            own["beta"][0] if "beta" in own else self._beta,
            permutation_BZ=own["permutation"][: self._shuffled] if "permutation" in own else None,
        )

    def _draw(self, first: int) -> None:
        if first not in self._numbers:
            self._numbers = self._numbers_from(first)
        drawn = {name: of.flatten(0, 1) for name, of in self._numbers.pop(first).items()}
        images_NCHW = self.dataset.images(drawn.pop("factors"), drawn.pop("nuisance"))
        drawn["images"] = images_NCHW.permute(0, 2, 3, 1).flatten(1)
        for name, values in drawn.items():
            if name not in self._ahead:
                self._ahead[name] = values.new_empty(values.shape)
            self._ahead[name].copy_(values)
        self._first = first
        total = len(self._row_R)
        torch.arange(-first * total, (1 - first) * total, out=self._row_R)

    def _numbers_from(self, first: int) -> dict[int, dict[str, Tensor]]:
        """All but the images of the steps from `first` on: [S, R, ...] by the first of each S."""
        trial, dataset, seed, rows = self.trial, self.dataset, self.trial.seed, self._rows
        steps = self._steps_of_numbers
        number_S = torch.arange(first, first + steps, device=self.device)
        drawn_N: Tensor | None = None
        if self._epochs is not None:
            # Random numbers are no part of an image: they are drawn anew each time.
            counted = 1 if dataset.nuisances == RANDOM_NUISANCES else dataset.nuisances
            numbers_N = self._epochs.numbers(first, steps)
            factors_NF, drawn_N = images_of(numbers_N, self._positions, counted)
        else:
            factors_NF = cells(seed, number_S, rows, self._sizes_F)
        by_step = (steps, rows, len(self._sizes_F))
        factors_SRF = factors_NF.view(by_step)
        if isinstance(trial.framework, AdaGVAE | AdaMLVAE):
            both = pairs(seed, number_S, rows, self._sizes_F, trial.framework, factors_NF)
            factors_SRF = torch.cat([one.view(by_step) for one in both], dim=1)
        total = len(self._row_R)
        nuisance_SR = nuisances(seed, number_S, total, dataset.nuisances).view(steps, total)
        if drawn_N is not None and dataset.nuisances != RANDOM_NUISANCES:
            nuisance_SR[:, :rows] = drawn_N.view(steps, rows)
        noise_NZ = normals(
            seed, Stream.LATENT_NOISE, number_S, total, trial.latents, dtype=torch.float32
        )
        numbers = {
            "factors": factors_SRF,
            "nuisance": nuisance_SR,
            "noise": noise_NZ.view(steps, total, trial.latents),
        }
        if trial.beta_schedule != ConstantSchedule():
            moved_S = factor(trial.beta_schedule, number_S, trial.steps)
            beta_S1 = (self._beta * moved_S).to(torch.float32)[:, None]
            numbers["beta"] = beta_S1.expand(steps, total)
        if isinstance(trial.framework, FactorVAE):
            order_SBZ = permutations(seed, number_S, self._shuffled, trial.latents)
            numbers["permutation"] = F.pad(order_SBZ, (0, 0, 0, total - self._shuffled))
        return {
            first + ahead: {name: of[ahead : ahead + self._steps] for name, of in numbers.items()}
            for ahead in range(0, steps, self._steps)
        }


def steps_ahead(trial: Trial, dataset: Dataset, device: torch.device) -> tuple[int, int]:
    """Of how many steps numbers are drawn at once, and of how many of those the images.

    One on a CPU, where many cost as much as each of them.
    """
    if device.type == "cpu":
        return 1, 1
    factors = len(dataset.factor_sizes)
    nothing = torch.zeros(1, factors + 1, dtype=torch.int64, device=device)
    return that_fit(trial, dataset.images(nothing[:, :factors], nothing[:, factors]).nbytes)


def that_fit(trial: Trial, image_bytes: int) -> tuple[int, int]:
    """The same of images of so many bytes each, on a GPU."""
    images = images_a_step(trial)
    drawn = images * max(trial.latents, len(trial.dataset.factor_sizes))
    numbers = max(min(STEPS_AHEAD, NOISE_AHEAD // drawn, trial.steps), 1)
    steps = min(IMAGE_BYTES_AHEAD // (images * image_bytes), numbers)
    steps = max(steps - steps % STEPS_A_GRAPH, 1)
    return numbers - numbers % steps, steps


def images_a_step(trial: Trial) -> int:
    """R: partners of pairs counted."""
    pairs = isinstance(trial.framework, AdaGVAE | AdaMLVAE)
    return trial.batch_size * trial.framework.drawn_per_row * (2 if pairs else 1)
