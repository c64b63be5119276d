"""Numbers of Burgess et al. 2017, Understanding disentangling in beta-VAE."""

from __future__ import annotations

SEEN_NATS = {"position": 3.1, "scale": 7.3, "shape": 15.4, "orientation": 23.8}
"""Figure 3, caption: at which capacity, of all latents together, the reconstructions of one run on
dSprites show each factor."""
