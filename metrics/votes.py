"""Labelled votes: what a dataset without a factor grid gives in place of a code table.

The images of a vote share the position of one factor, which is the vote's label, and differ in the
others. Song 2018's sets are such: 80 votes a factor of 400 images each.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from metrics.table import (
    Floats,
    Integers,
    as_float32,
    check_drawable,
    check_latents,
    check_types,
    check_values,
)

MAX_FACTORS = 100


@dataclass(frozen=True, eq=False)
class Votes:
    """The representation of images in votes, each with the factor that was held fixed.

    codes: float32 [V, I, Z]; codes[v, i] is the representation of image i of vote v.
    labels: int64 [V], the factor that the images of a vote share, 0 to F-1.
    factors: F, 1 to 100. A factor may be without votes.
    global_codes: float32 [G, Z], of images of all kinds, or None: how much a latent varies over the
        dataset is measured on them, else on all images of all votes.
    logvar, global_logvar: as codes and global_codes, the log-variances of the posteriors whose
        means these are, or None.

    ValueError, in one line, where these do not fit together, are not finite, have more than 1,000
    latents, or fewer than two images a vote: nothing varies in one.
    """

    codes: Floats
    labels: Integers
    factors: int
    global_codes: Floats | None = None
    logvar: Floats | None = None
    global_logvar: Floats | None = None

    def __post_init__(self) -> None:
        given = self.global_codes
        check_vote_shapes(
            self.codes.shape, self.labels.shape, None if given is None else given.shape
        )
        check_values("votes", self.codes, "V, I, Z")
        if given is not None:
            check_values("codes", given, "G, Z")
        for name, logvar, of in (
            ("votes_logvar", self.logvar, self.codes),
            ("codes_logvar", self.global_logvar, given),
        ):
            if logvar is not None and (of is None or logvar.shape != of.shape):
                raise ValueError(f"{name} has shape {list(logvar.shape)}; valid: that of its means")
            if logvar is not None:
                check_values(name, logvar, "V, I, Z" if logvar is self.logvar else "G, Z")
        if self.labels.dtype != np.int64:
            raise ValueError(f"labels is {self.labels.dtype}; valid: int64 [V]")
        if not 1 <= self.factors <= MAX_FACTORS:
            raise ValueError(f"there are {self.factors} factors; valid: 1 to {MAX_FACTORS}")
        low, high = int(self.labels.min()), int(self.labels.max())
        if low < 0 or high >= self.factors:
            raise ValueError(
                f"labels holds {low} to {high}; valid: 0 to {self.factors - 1}, the factors"
            )

    @classmethod
    def checked(
        cls,
        codes: npt.NDArray[Any],
        labels: npt.NDArray[Any],
        factors: int | None = None,
        global_codes: npt.NDArray[Any] | None = None,
        logvar: npt.NDArray[Any] | None = None,
        global_logvar: npt.NDArray[Any] | None = None,
    ) -> Votes:
        """From arrays made elsewhere: floats of any width, integers of any width.

        factors: by default one more than the largest label. ValueError as for the class, and for
        arrays that do not hold floats (all others) or integers (labels).
        """
        check_types(votes=codes.dtype, labels=labels.dtype)
        if global_codes is not None:
            check_types(codes=global_codes.dtype)
        largest = int(labels.max(initial=0))
        if largest >= MAX_FACTORS:  # before a large unsigned number is cast to a negative one
            raise ValueError(f"labels holds {largest}; valid: 0 to {MAX_FACTORS - 1}, the factors")
        return cls(
            as_float32(codes),
            labels.astype(np.int64),
            largest + 1 if factors is None else factors,
            *(
                None if array is None else as_float32(array)
                for array in (global_codes, logvar, global_logvar)
            ),
        )

    def drawn(self, seed: int) -> Votes:
        """The sampled representation: one draw of the posterior of every image, used once each.

        ValueError where there are no log-variances.
        """
        rng = np.random.Generator(np.random.Philox(seed))

        def draw(means: Floats, logvar: Floats | None) -> Floats:
            check_drawable(logvar)
            noise = rng.standard_normal(means.shape, dtype=np.float32)
            drawn: Floats = means + np.exp(0.5 * np.asarray(logvar, dtype=np.float32)) * noise
            return drawn

        codes = draw(self.codes, self.logvar)
        given = self.global_codes
        return Votes(
            codes,
            self.labels,
            self.factors,
            None if given is None else draw(given, self.global_logvar),
        )

    @property
    def rows(self) -> Floats:
        """float32 [V*I, Z], a view: the images of all votes."""
        return self.codes.reshape(-1, self.codes.shape[2])


def check_vote_shapes(
    votes: tuple[int, ...], labels: tuple[int, ...], codes: tuple[int, ...] | None
) -> None:
    """ValueError for votes that are not [V, I, Z], labels not [V] or global codes not [G, Z]."""
    if len(votes) != 3:
        raise ValueError(f"votes has {len(votes)} dimensions; valid: [V, I, Z]")
    count, images, latents = votes
    if count == 0 or images < 2:
        raise ValueError(
            f"votes has {count} votes of {images} images; valid: 1 or more of 2 or more"
        )
    check_latents("votes", latents)
    if labels != (count,):
        raise ValueError(f"labels has shape {list(labels)}; valid: [{count}], a label a vote")
    if codes is not None and (len(codes) != 2 or codes[0] < 2 or codes[1] != latents):
        raise ValueError(
            f"codes has shape {list(codes)}; valid: [G, {latents}], G of 2 or more, beside votes"
        )
