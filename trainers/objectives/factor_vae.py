"""FactorVAE: Kim and Mnih 2018, "Disentangling by factorising", equation 2 and algorithm 2.

    L   = <sum_N r> + <sum_Z KL_d> + gamma <D0(z) - D1(z)>
    L_D = -1/2 <ln p0(z)> - 1/2 <ln p1(z')>,    p = softmax(D)

D gives two logits, 0 for a sample of q(z) and 1 for z', whose every latent is shuffled over a batch
on its own. z' is made of the same batch (disentanglement_lib), of a second one (the paper), or of
the second half of a batch, where the loss is of the first half (Dubois 2019, pythae).

The step of the discriminator sees the codes of the same pass as the model's step, without their
gradient. disentanglement_lib clips p to [1e-6, 1 - 1e-6]; here the logarithm of the softmax is
taken as it stands, which differs beyond 13.8 nats. Its two optimisers both count the one global
step, so that its 300,000 steps are 150,000 updates.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from grids import parts
from grids.trial import Trial
from trainers import gaussian
from trainers.models.initialisation import glorot_uniform
from trainers.models.vae import VAE, at_least_float32
from trainers.objectives.evidence import evidence
from trainers.objectives.step import Step, Terms
from trainers.streams import Stream, words

FIRST_PARAMETER = 1000
"""Number of the discriminator's first parameter in the stream, beyond those of every network."""
NEGATIVE_SLOPE = 0.2


class Discriminator(nn.Module):
    """D: from Z to two logits, through layers with leaky ReLUs (Kim and Mnih 2018, appendix A)."""

    def __init__(self, latents: int, layers: int, width: int) -> None:
        super().__init__()
        stack: list[nn.Module] = []
        for before in (latents, *[width] * (layers - 1)):
            stack += [nn.Linear(before, width), nn.LeakyReLU(NEGATIVE_SLOPE)]
        self.layers = nn.Sequential(*stack, nn.Linear(width, 2))

    def forward(self, z_BZ: Tensor) -> Tensor:
        """Logits, [B, 2]."""
        return at_least_float32(self.layers(z_BZ))


def discriminator(trial: Trial) -> Discriminator:
    """With its initial weights, which are TensorFlow's defaults."""
    framework = trial.framework
    assert isinstance(framework, parts.FactorVAE)
    made = Discriminator(trial.latents, framework.layers, framework.width)
    glorot_uniform((made,), trial.seed, FIRST_PARAMETER)
    return made


def factor_vae(model: VAE, step: Step, trial: Trial) -> Terms:
    """Terms of one batch; of a second batch or half, which comes last, only codes are needed."""
    framework, discriminate = trial.framework, step.companion
    assert isinstance(framework, parts.FactorVAE) and discriminate is not None
    assert step.permutation_BZ is not None
    rows = len(step.images_BCHW) // (1 if framework.permutation == "batch" else 2)
    first = step._replace(images_BCHW=step.images_BCHW[:rows], noise_BZ=step.noise_BZ[:rows])
    found = evidence(model, first, trial)
    with torch.no_grad():
        if framework.permutation == "batch":
            other_BZ = found.z_BZ
        else:
            posterior = model.encode(step.images_BCHW[rows:])
            other_BZ = gaussian.sample(*posterior, step.noise_BZ[rows:])
        permuted_BZ = other_BZ.gather(0, step.permutation_BZ)
    logits_B2 = discriminate(found.z_BZ)
    total_correlation = (logits_B2[:, 0] - logits_B2[:, 1]).mean()
    loss = found.negative_elbo + framework.gamma * total_correlation
    logits_2B2 = discriminate(torch.cat([found.z_BZ.detach(), permuted_BZ]))
    truth_2B = torch.arange(2 * rows, device=logits_2B2.device) // rows
    discriminator_loss = F.cross_entropy(logits_2B2, truth_2B)
    accuracy = (logits_2B2.argmax(dim=1) == truth_2B).to(loss.dtype).mean()
    own = {
        **found.own,
        "total_correlation_nats": total_correlation,
        "discriminator_loss": discriminator_loss,
        "discriminator_accuracy": accuracy,
    }
    return Terms(loss, found.reconstruction, found.kl_Z, own, companion_loss=discriminator_loss)


def permutations(seed: int, step: int | Tensor, rows: int, latents: int) -> Tensor:
    """An order of the rows for every latent of a step, int64 [S, rows, Z]; `step` as in `words`."""
    keys_SRZ = words(seed, Stream.PERMUTATION, step, rows, latents).reshape(-1, rows, latents)
    return keys_SRZ.argsort(dim=1, stable=True)
