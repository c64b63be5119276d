"""The objectives behind the names in `grids.frameworks`: a file a framework, an entry here."""

from __future__ import annotations

from trainers.objectives.ada_vae import ada_vae
from trainers.objectives.annealed_vae import annealed_vae
from trainers.objectives.autoencoder import autoencoder
from trainers.objectives.beta_tc_vae import beta_tc_vae
from trainers.objectives.beta_vae import beta_vae
from trainers.objectives.capacity_vae import capacities, capacity_vae
from trainers.objectives.dip_vae import dip_vae_i, dip_vae_ii
from trainers.objectives.factor_vae import discriminator, factor_vae
from trainers.objectives.step import MakeCompanion, Objective
from trainers.objectives.vae import vae

OBJECTIVES: dict[str, Objective] = {
    "vae": vae,
    "autoencoder": autoencoder,
    "beta_vae": beta_vae,
    "annealed_vae": annealed_vae,
    "factor_vae": factor_vae,
    "beta_tc_vae": beta_tc_vae,
    "dip_vae_i": dip_vae_i,
    "dip_vae_ii": dip_vae_ii,
    "ada_gvae": ada_vae,
    "ada_ml_vae": ada_vae,
    "capacity_vae": capacity_vae,
}

COMPANIONS: dict[str, MakeCompanion] = {
    "factor_vae": discriminator,
    "capacity_vae": capacities,
}
"""What a framework keeps beside the model: parameters with a loss of their own, or buffers."""
