from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from grids import parts
from grids.trial import Trial
from trainers import fid, inception, make_model
from trainers.datasets.xysquares import XYSquares
from trainers.inception import Inception, InceptionError, check_weights, read_inception

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def network() -> Inception:
    torch.manual_seed(0)
    return Inception()


def test_it_has_the_sizes_of_the_published_network(network: Inception) -> None:
    """Keras, applications: 21,802,784 without the top, with two statistics a channel, no scale."""
    channels = sum(m.num_features for m in network.modules() if isinstance(m, nn.BatchNorm2d))
    parameters = sum(p.numel() for p in network.parameters())
    assert parameters - channels + 2 * channels == 21_802_784


def test_each_block_gives_the_published_grid(network: Inception) -> None:
    """Szegedy et al. 2016, table 1: 35x35x288, 17x17x768, 8x8x1280, 8x8x2048."""
    shapes: dict[str, tuple[int, ...]] = {}

    def note(name: str) -> Callable[..., None]:
        return lambda module, given, output: shapes.update({name: tuple(output.shape[1:])})

    hooks = [m.register_forward_hook(note(name)) for name, m in network.named_children()]
    with torch.inference_mode():
        features = network(torch.zeros(1, 1, 32, 32, dtype=torch.uint8))
    for hook in hooks:
        hook.remove()
    assert features.shape == (1, 2048)
    assert shapes["Conv2d_4a_3x3"] == (192, 71, 71)
    assert shapes["Mixed_5d"] == (288, 35, 35)
    assert shapes["Mixed_6a"] == shapes["Mixed_6e"] == (768, 17, 17)
    assert shapes["Mixed_7a"] == (1280, 8, 8)
    assert shapes["Mixed_7b"] == shapes["Mixed_7c"] == (2048, 8, 8)


def test_grey_is_repeated_and_bytes_go_to_minus_one_to_one(network: Inception) -> None:
    grey = torch.randint(0, 256, (1, 1, 32, 32), dtype=torch.uint8)
    seen: list[torch.Tensor] = []
    hook = network.Conv2d_1a_3x3.register_forward_pre_hook(lambda m, given: seen.append(given[0]))
    with torch.inference_mode():
        network(grey)
    hook.remove()
    [given] = seen
    assert given.shape == (1, 3, 299, 299)
    assert torch.equal(given[:, 0], given[:, 2])
    small = F.interpolate(grey.double(), size=(299, 299), mode="bilinear", align_corners=False)
    torch.testing.assert_close(given[:, :1].double(), small / 127.5 - 1, atol=1e-5, rtol=0)


def test_averages_leave_the_padding_out_and_the_last_block_takes_a_maximum(
    network: Inception,
) -> None:
    ones = torch.ones(1, 1, 4, 4)
    assert torch.equal(inception.average(ones), ones)
    assert not network.Mixed_7b.maximum and network.Mixed_7c.maximum


def test_weights_of_the_published_names_are_read_and_others_named(
    network: Inception, tmp_path: Path
) -> None:
    path = tmp_path / "weights.pth"
    state = {k: v for k, v in network.state_dict().items() if "num_batches" not in k}
    torch.save(state | {"fc.weight": torch.zeros(1008, 2048), "fc.bias": torch.zeros(1008)}, path)
    again = read_inception(path, CPU)
    assert torch.equal(
        again.Mixed_7c["branch_pool"].conv.weight, state["Mixed_7c.branch_pool.conv.weight"]
    )
    torch.save({"conv.weight": torch.zeros(3)}, path)
    with pytest.raises(InceptionError) as caught:
        read_inception(path, CPU)
    line = str(caught.value)
    assert str(path) in line and inception.WEIGHTS_URL in line and "\n" not in line
    with pytest.raises(InceptionError, match="sha256 begins"):
        check_weights(path)
    with pytest.raises(InceptionError, match="No such file"):
        check_weights(tmp_path / "nowhere.pth")


class Pooled(nn.Module):
    """Features that a test can compute by hand: the first pixels of an image, and noughts."""

    def __init__(self) -> None:
        super().__init__()
        self.nothing = nn.Parameter(torch.zeros(1))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        flat = images.flatten(1).float()
        return (
            F.pad(flat, (0, fid.FEATURES - 20))[:, : fid.FEATURES]
            if flat.shape[1] == 20
            else flat[:, : fid.FEATURES]
        )


def test_moments_are_those_of_all_images_whatever_the_batches() -> None:
    images = torch.randint(0, 256, (57, 1, 4, 5), dtype=torch.uint8)
    found = fid.moments(Pooled(), images.split(10))  # type: ignore[arg-type]
    plain = images.flatten(1).numpy().astype(np.float64)
    assert found.n == 57
    np.testing.assert_allclose(found.mean[:20], plain.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(found.covariance[:20, :20], np.cov(plain.T), rtol=1e-9, atol=1e-9)
    assert not found.mean[20:].any() and not found.covariance[20:].any()


def test_small_sets_are_taken_whole_and_large_ones_drawn(
    trial_of: Callable[..., Trial],
) -> None:
    dataset = XYSquares(parts.XYSquares(grid_size=2))  # 64 images
    whole = torch.cat(list(fid.real_images(dataset, 100, CPU)))
    assert len({image.numpy().tobytes() for image in whole}) == len(whole) == 64
    large = XYSquares(parts.XYSquares(grid_size=8))
    assert sum(map(len, fid.real_images(large, 200, CPU))) == 200
    for name in ("beta_vae", "autoencoder"):
        trial = trial_of(name, dataset=parts.XYSquares(grid_size=2))
        model = make_model(trial, device="cpu")
        with torch.inference_mode():
            made = torch.cat(list(fid.reconstructions(model, dataset, trial, 100, CPU)))
            drawn = torch.cat(list(fid.prior_samples(model, dataset, trial, 100, CPU)))
        assert made.shape == drawn.shape == whole.shape
        assert made.dtype == drawn.dtype == torch.uint8
        assert not torch.equal(made, drawn)
