"""A process of benchmarks/peer.py: trains as disent does, or as this project does.

    python -m benchmarks.peer_worker disent|ours

Says its versions. Then it answers each line `FRAMEWORK VARIANT THREADS STEPS` with the seconds that
the steps took, and sleeps in between. The variant is where disent's batches come from (`loader` or
`memory`), or our precision. Imports are with their side, as each has an environment of its own.
"""

from __future__ import annotations

import functools
import itertools
import sys
import time
import warnings
from collections.abc import Callable, Iterable, Iterator
from importlib import metadata
from typing import Any

import torch

BATCH_SIZE = 256
LATENTS = 9
BETA = 1e-3
LEARNING_RATE = 1e-3
PACKAGES = {
    "disent": ("disent", "lightning", "torchvision", "torch", "numpy"),
    "ours": ("torch", "numpy"),
}


def disent_training(framework: str, batches_from: str) -> Callable[[int], None]:
    """disent, as in its examples and with the values of its experiments; runs the given steps."""
    # It says that numba is missing, which no part used here needs, and at each value that it logs
    # that there is no trainer of Lightning's.
    warnings.simplefilter("ignore")
    declare_operators_of_torchvision()
    from disent.dataset import DisentDataset
    from disent.dataset.data import XYSquaresMinimalData
    from disent.dataset.sampling import GroundTruthPairOrigSampler, GroundTruthSingleSampler
    from disent.dataset.transform import ToImgTensorF32
    from disent.frameworks.vae import AdaVae, BetaVae
    from disent.model import AutoEncoder
    from disent.model.ae import DecoderConv64, EncoderConv64

    data = XYSquaresMinimalData()
    kind, sampler = {
        "beta_vae": (BetaVae, GroundTruthSingleSampler()),
        "ada_gvae": (AdaVae, GroundTruthPairOrigSampler(p_k=-1)),
    }[framework]
    # Mean and deviation are those of its configuration of these images.
    transform = ToImgTensorF32(mean=[0.015625] * 3, std=[0.12403473458920855] * 3)
    dataset = DisentDataset(data, sampler, transform=transform)
    loader = torch.utils.data.DataLoader(dataset, batch_size=BATCH_SIZE, shuffle=True)
    module = kind(
        model=AutoEncoder(
            encoder=EncoderConv64(x_shape=data.x_shape, z_size=LATENTS, z_multiplier=2),
            decoder=DecoderConv64(x_shape=data.x_shape, z_size=LATENTS),
        ),
        cfg=kind.cfg(optimizer="adam", optimizer_kwargs={"lr": LEARNING_RATE}, beta=BETA),
    )
    optimizer = module.configure_optimizers()
    batches = {"loader": epochs(loader), "memory": itertools.repeat(next(iter(loader)))}
    source = enumerate(batches[batches_from])

    def run(steps: int) -> None:
        for number, batch in itertools.islice(source, steps):
            loss = module.training_step(batch, number)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

    return run


@functools.cache
def declare_operators_of_torchvision() -> None:
    """Lets torchvision be imported beside torch's CPU build.

    PyPI has it built for CUDA, without which its operators do not load; disent uses none, but the
    import stops where it describes these two.
    """
    if torch.version.cuda is None:
        for name in ("torchvision::nms", "torchvision::qnms"):
            schema = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
            torch.library.define(name, schema)


def epochs(loader: Iterable[Any]) -> Iterator[Any]:
    while True:
        yield from loader


def our_training(framework: str, precision: str) -> Callable[[int], None]:
    """This project, in a process set up as for its trials; runs the given steps."""
    from grids import parts
    from grids.trial import Trial
    from trainers import make_dataset
    from trainers.fit import Training
    from trainers.process import prepare_for_training

    prepare_for_training()
    trial = Trial(
        dataset=parts.XYSquares(standardise=True),
        framework=parts.FRAMEWORKS[framework](),
        beta=BETA,
        model=parts.Conv64Disent(),
        latents=LATENTS,
        optimizer=parts.Adam(lr=LEARNING_RATE),
        batch_size=BATCH_SIZE,
        steps=1_000_000,
        precision=precision,
    )
    return Training(trial, make_dataset(trial.dataset), "cpu").advance


def main() -> None:
    side = sys.argv[1]
    make = functools.cache({"disent": disent_training, "ours": our_training}[side])
    print(", ".join(f"{name} {metadata.version(name)}" for name in PACKAGES[side]), flush=True)
    for line in sys.stdin:
        framework, variant, threads, steps = line.split()
        run = make(framework, variant)
        torch.set_num_threads(int(threads))
        start = time.perf_counter()
        run(int(steps))
        print(time.perf_counter() - start, flush=True)


if __name__ == "__main__":
    main()
