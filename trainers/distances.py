"""Perceived distances: how far apart images look along a factor, to a reconstruction loss.

Michlo et al. 2023, supplement, A. With d(a, b) the mean over the elements of two images, plain
pixels in [0, 1] whatever the dataset standardises:

    d_i   = E[d(x_a, x_b)]   a uniform over cells, b != a uniform along factor i through a   (1)
    d_ran = E[d(x_a, x_b)]   a, b uniform over cells                                         (2)

Pairs are sampled as the authors' code does: several of each random traversal
(`grids.measurement.sampled_pairs`), and random pairs that may be equal. Every image has a nuisance
draw of its own. The matrix of a factor has d of its positions a, b, averaged over 256 random
traversals (slides of the same paper); within one of those the images are used for all pairs.

F factors, B traversals, n positions, K pairs of a traversal, P features of an image.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from grids import parts
from grids.measurement import sampled_pairs
from trainers.box_blur import box_blur
from trainers.datasets.dataset import Dataset
from trainers.streams import Stream, below, words

RANDOM = "random"
QUANTILES = 201
MATRIX_TRAVERSALS = 256
IMAGES_AT_ONCE = 128  # in float64: what a cache holds
CLIPPED = 1e-6

Doubles = npt.NDArray[np.float64]


class FactorDistances(NamedTuple):
    """The distances along a factor, or of random pairs, whose `factor` is "random".

    std is of the pairs (divisor n), not of the mean. quantiles: float64 [201], the distance below
    which a share of 0, .005, ... 1 of the pairs lies, each one that occurs. matrix: float64 [n, n].
    """

    factor: str
    positions: int
    pairs: int
    mean: float
    std: float
    quantiles: Doubles
    matrix: Doubles | None


class Perceived(NamedTuple):
    """A loss as a distance of features, float64 [..., P], which every image has once.

    Features are on the scale [0, 255]: squared distances of bytes are then exact whole numbers,
    also as |a|^2 + |b|^2 - 2 a b, the fastest way to have those of many pairs.
    """

    loss: parts.Reconstruction

    def features(self, images_BCHW: Tensor) -> Tensor:
        """float64 [B, P] of images on the scale [0, 255]."""
        pixels_BCHW = images_BCHW.to(torch.float64)
        if isinstance(self.loss, parts.MSEBoxBlur):
            # |e|^2 + w |K e|^2 is the squared distance of (x, sqrt(w) K x).
            blurred = box_blur(pixels_BCHW, self.loss.radius) * math.sqrt(self.loss.weight)
            pixels_BCHW = torch.stack([pixels_BCHW, blurred], dim=1)
        return pixels_BCHW.flatten(1)

    def matrix(self, first_BNP: Tensor, second_BMP: Tensor, elements: int) -> Tensor:
        """float64 [B, N, M]: the distance of each of N images to each of M.

        bernoulli: -x_b ln p - (1 - x_b) ln(1 - p) in nats, the prediction p being x_a clipped to
        [1e-6, 1 - 1e-6]: not symmetric, and not zero for equal grey images.
        """
        if isinstance(self.loss, parts.Bernoulli):
            p_BNP = (first_BNP / 255).clamp(CLIPPED, 1 - CLIPPED)
            x_BPM = second_BMP.mT / 255
            likelihood_BNM = p_BNP.log() @ x_BPM + torch.log1p(-p_BNP) @ (1 - x_BPM)
            return -likelihood_BNM / elements
        first_BN1 = first_BNP.square().sum(dim=2)[:, :, None]
        second_B1M = second_BMP.square().sum(dim=2)[:, None, :]
        squared_BNM = first_BN1 + second_B1M - 2 * (first_BNP @ second_BMP.mT)
        return squared_BNM.clamp_(min=0) / (255**2 * elements)


class Measuring:
    """Measures about a hundred images at a time: `advance` until it returns True, then `results`.

    The numbers depend on the dataset, the loss, `pairs` and `seed`, not on how many at a time.
    """

    def __init__(
        self,
        dataset: Dataset,
        loss: parts.Reconstruction,
        *,
        pairs: int,
        seed: int,
        device: torch.device | str = "cpu",
        images_at_once: int = IMAGES_AT_ONCE,
    ) -> None:
        self.dataset, self.perceived = dataset, Perceived(loss)
        self.pairs, self.seed, self.device = pairs, seed, torch.device(device)
        self.images_at_once = images_at_once
        self.elements = math.prod(dataset.image_shape)
        self.pairs_done = 0
        self._sizes_F = torch.tensor(dataset.factor_sizes, dtype=torch.int64, device=device)
        self._results: list[FactorDistances] = []
        self._work = self._chunks()

    def advance(self) -> bool:
        """Measures one chunk; True once all is measured."""
        return next(self._work, None) is None

    def results(self) -> list[FactorDistances]:
        """By factor, in the order of the dataset, then of random pairs."""
        return self._results

    def _chunks(self) -> Iterator[int]:
        """Yields the pairs done after each chunk."""
        for factor, (name, positions) in enumerate(
            zip(self.dataset.factor_names, self.dataset.factor_sizes, strict=True)
        ):
            if positions < 2:
                continue
            pairs = math.prod(sampled_pairs(positions, self.pairs))
            found = np.empty(pairs)
            yield from self._collect(self._along(factor, positions), found)
            total = np.zeros((positions, positions))
            for matrix in self._matrices(factor, positions):
                total += matrix
                yield self.pairs_done
            self._add(name, positions, found, total / MATRIX_TRAVERSALS)
        found = np.empty(self.pairs)
        yield from self._collect(self._random(), found)
        self._add(RANDOM, 0, found, None)

    def _collect(self, chunks: Iterator[Doubles], found: Doubles) -> Iterator[int]:
        """Fills one array: small ones kept between large freed ones would fragment the memory."""
        done = 0
        for distances in chunks:
            found[done : done + len(distances)] = distances
            done += len(distances)
            self.pairs_done += len(distances)
            yield self.pairs_done
        assert done == len(found)

    def _along(self, factor: int, positions: int) -> Iterator[Doubles]:
        """Distances of the pairs of some traversals of a factor."""
        traversals, pairs = sampled_pairs(positions, self.pairs)
        redrawn = self.dataset.nuisances > 1
        images = 2 * pairs if redrawn else positions
        num_factors = len(self._sizes_F)
        for first, count in self._blocks(traversals, images):
            # Columns: a cell, both positions of each pair, nuisance draws. Never change the order.
            words_BW = self._words(factor, first, count, num_factors + 2 * pairs + images)
            cell_BF = below(words_BW[:, :num_factors], self._sizes_F)
            pair_BK2 = words_BW[:, num_factors : num_factors + 2 * pairs].reshape(count, pairs, 2)
            a_BK = below(pair_BK2[..., 0], positions)
            b_BK = (a_BK + 1 + below(pair_BK2[..., 1], positions - 1)) % positions
            row_B1 = torch.arange(count, device=self.device)[:, None]
            if redrawn:
                shown_BI = torch.cat([a_BK, b_BK], dim=1)
                features_BIP = self._traversals(cell_BF, factor, shown_BI, words_BW[:, -images:])
                both = features_BIP.reshape(count, 2, pairs, -1).transpose(1, 2).flatten(0, 1)
                yield self._distances(both[:, :1], both[:, 1:]).ravel()
            else:
                shown_BI = torch.arange(positions, device=self.device).expand(count, -1)
                features_BIP = self._traversals(cell_BF, factor, shown_BI, words_BW[:, -images:])
                matrix_BII = self.perceived.matrix(features_BIP, features_BIP, self.elements)
                yield matrix_BII[row_B1, a_BK, b_BK].flatten().cpu().numpy()

    def _matrices(self, factor: int, positions: int) -> Iterator[Doubles]:
        """Sums of the matrices of some traversals."""
        num_factors = len(self._sizes_F)
        shown_N = torch.arange(positions, device=self.device)
        for first, count in self._blocks(MATRIX_TRAVERSALS, positions):
            # Behind the streams of the pairs, of random ones, and of the matrices before.
            stream = num_factors + 1 + factor
            words_BW = self._words(stream, first, count, num_factors + positions)
            cell_BF = below(words_BW[:, :num_factors], self._sizes_F)
            features_BNP = self._traversals(
                cell_BF, factor, shown_N.expand(count, -1), words_BW[:, num_factors:]
            )
            yield self._distances(features_BNP, features_BNP).sum(axis=0)

    def _random(self) -> Iterator[Doubles]:
        num_factors = len(self._sizes_F)
        for first, count in self._blocks(self.pairs, 2):
            words_BW = self._words(num_factors, first, count, 2 * num_factors + 2)
            both = []
            for side in range(2):
                cell_BF = below(
                    words_BW[:, side * num_factors : (side + 1) * num_factors], self._sizes_F
                )
                nuisance_B = below(words_BW[:, 2 * num_factors + side], self.dataset.nuisances)
                both.append(self.perceived.features(self.dataset.images(cell_BF, nuisance_B)))
            first_BP, second_BP = both
            yield self._distances(first_BP[:, None], second_BP[:, None]).ravel()

    def _traversals(
        self, cell_BF: Tensor, factor: int, shown_BI: Tensor, words_BI: Tensor
    ) -> Tensor:
        """Features [B, I, P] of the cells moved along a factor to the positions shown."""
        moved_BIF = cell_BF[:, None, :].repeat(1, shown_BI.shape[1], 1)
        moved_BIF[..., factor] = shown_BI
        nuisance_BI = below(words_BI, self.dataset.nuisances)
        images = self.dataset.images(moved_BIF.flatten(0, 1), nuisance_BI.flatten())
        return self.perceived.features(images).view(*shown_BI.shape, -1)

    def _distances(self, first_BNP: Tensor, second_BMP: Tensor) -> Doubles:
        distances: Doubles = (
            self.perceived.matrix(first_BNP, second_BMP, self.elements).cpu().numpy()
        )
        return distances

    def _words(self, step: int, first: int, count: int, columns: int) -> Tensor:
        drawn = words(self.seed, Stream.DISTANCES, step, count, columns, first_row=first)
        return drawn.to(self.device)

    def _blocks(self, rows: int, images: int) -> Iterator[tuple[int, int]]:
        """First row and number of rows of blocks of rows that have so many images each."""
        most = max(1, self.images_at_once // images)
        for first in range(0, rows, most):
            yield first, min(most, rows - first)

    def _add(self, factor: str, positions: int, distances: Doubles, matrix: Doubles | None) -> None:
        shares = np.linspace(0, 1, QUANTILES)
        self._results.append(
            FactorDistances(
                factor=factor,
                positions=positions,
                pairs=len(distances),
                mean=float(distances.mean()),
                std=float(distances.std()),
                # Only distances that occur: they may be a handful of values.
                quantiles=np.quantile(distances, shares, method="inverted_cdf"),
                matrix=matrix,
            )
        )
