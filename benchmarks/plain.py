"""The step that one would write in PyTorch by hand: what ours is held against."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

LATENTS = 9
BETA = 1e-3


def plain_training(
    images_NCHW: Tensor,
    *,
    batch_size: int,
    precision: str,
    pairs: bool = False,
    compiled: bool = False,
    channels_last: bool = True,
) -> Callable[[int], None]:
    """Runs the given number of steps of a beta-VAE, or of an Ada-GVAE on pairs, with conv64.

    On the device of the images, which are uint8; torch's own random numbers choose among them.
    """
    device, channels = images_NCHW.device, images_NCHW.shape[1]
    layout = torch.channels_last if channels_last else torch.contiguous_format
    encoder = nn.Sequential(
        nn.Conv2d(channels, 32, 4, 2, 1),
        nn.ReLU(),
        nn.Conv2d(32, 32, 4, 2, 1),
        nn.ReLU(),
        nn.Conv2d(32, 64, 4, 2, 1),
        nn.ReLU(),
        nn.Conv2d(64, 64, 4, 2, 1),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(1024, 256),
        nn.ReLU(),
        nn.Linear(256, 2 * LATENTS),
    )
    decoder = nn.Sequential(
        nn.Linear(LATENTS, 256),
        nn.ReLU(),
        nn.Linear(256, 1024),
        nn.ReLU(),
        nn.Unflatten(1, (64, 4, 4)),
        nn.ConvTranspose2d(64, 64, 4, 2, 1),
        nn.ReLU(),
        nn.ConvTranspose2d(64, 32, 4, 2, 1),
        nn.ReLU(),
        nn.ConvTranspose2d(32, 32, 4, 2, 1),
        nn.ReLU(),
        nn.ConvTranspose2d(32, channels, 4, 2, 1),
    )
    model = nn.ModuleList([encoder, decoder])
    model.to(device=device, memory_format=layout)  # type: ignore[call-overload]
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, fused=True)
    rows = batch_size * (2 if pairs else 1)

    def loss_of(target: Tensor) -> Tensor:
        mean, logvar = encoder(target).float().chunk(2, dim=1)
        if pairs:
            mean, logvar = averaged(mean, logvar)
        z = mean + torch.exp(0.5 * logvar) * torch.randn_like(mean)
        kl = 0.5 * (mean.square() + logvar.exp() - logvar - 1).mean()
        return F.mse_loss(decoder(z).float(), target) + BETA * kl

    if compiled:  # on CUDA with graphs, where that mode has them
        loss_of = torch.compile(
            loss_of, mode="reduce-overhead" if device.type == "cuda" else "default"
        )

    def run(steps: int) -> None:
        for _ in range(steps):
            chosen = images_NCHW[torch.randint(len(images_NCHW), (rows,), device=device)]
            target = (chosen.float() / 255).contiguous(memory_format=layout)
            with torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16"):
                loss = loss_of(target)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()

    return run


def averaged(mean_BZ: Tensor, logvar_BZ: Tensor) -> tuple[Tensor, Tensor]:
    """Of pairs, the first half and the second: latents that differ little are shared."""
    (m1, m2), (v1, v2) = mean_BZ.chunk(2), logvar_BZ.exp().chunk(2)
    apart = (m1 - m2).square() * (1 / v1 + 1 / v2) + v1 / v2 + v2 / v1 - 2
    low, high = apart.amin(dim=1, keepdim=True), apart.amax(dim=1, keepdim=True)
    shared = apart < low + 0.5 * (high - low)
    mean, variance = (m1 + m2) / 2, (v1 + v2) / 2
    means = [torch.where(shared, mean, m) for m in (m1, m2)]
    variances = [torch.where(shared, variance, v) for v in (v1, v2)]
    return torch.cat(means), torch.cat(variances).log()
