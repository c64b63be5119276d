from __future__ import annotations

import pytest
import torch

images = pytest.importorskip("trainers.kernels.images")


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32])
@pytest.mark.parametrize("shifted", [True, False])
def test_rows_of_a_step_have_the_bits_that_torch_gives_them(
    device: torch.device, channels: int, dtype: torch.dtype, shifted: bool
) -> None:
    made = torch.Generator().manual_seed(0)
    many = torch.randint(0, 256, (50, 400 * channels), generator=made).to(device, dtype)
    noise = torch.randn(50, 9, generator=made).to(device)
    row, step = torch.randperm(13, generator=made).to(device) + 5, torch.tensor(2, device=device)
    shift, scale = (40 * torch.rand(channels, generator=made).to(device) for _ in range(2))
    found, drawn = images.rows_of_step(many, noise, row, step, shift, scale + 1, shifted=shifted)
    pixels = many[row + 26].float().view(13, -1, channels)
    expected = (pixels - shift if shifted else pixels) / (scale + 1)
    assert torch.equal(found, expected.flatten(1))
    assert torch.equal(drawn, noise[row + 26])


def test_a_fourth_channel_of_zeros(device: torch.device) -> None:
    colours = torch.randint(-99, 99, (5, 8, 8, 3)).to(device, torch.float32)
    padded = images.padded(colours)
    assert padded.dtype == torch.bfloat16
    assert torch.equal(padded[..., :3].float(), colours)
    assert not padded[..., 3].any()
