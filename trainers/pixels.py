"""From bytes to what a model is given, and back."""

from __future__ import annotations

import torch
from torch import Tensor

from trainers.datasets.dataset import Dataset
from trainers.kernels import usable


class Pixels:
    """The scale of a dataset's images: x / 255, or (x / 255 - mean) / std where it standardises.

    The two constants of a channel are kept on the device, so that a batch crosses from uint8 to
    float32 without the host.
    """

    def __init__(self, dataset: Dataset, device: torch.device) -> None:
        channels = dataset.image_shape[0]
        mean = dataset.mean if dataset.standardise else (0.0,) * channels
        std = dataset.std if dataset.standardise else (1.0,) * channels
        self.shift_C11 = 255 * torch.tensor(mean, dtype=torch.float64, device=device)[:, None, None]
        self.scale_C11 = 255 * torch.tensor(std, dtype=torch.float64, device=device)[:, None, None]
        self._shift_C11, self._scale_C11 = self.shift_C11.float(), self.scale_C11.float()
        self._standardise = dataset.standardise
        self._image_shape = dataset.image_shape
        self._fused = usable(device)

    def to_float(self, images_BCHW: Tensor) -> Tensor:
        """A dataset's images [B, C, H, W] to float32 of the same shape and memory format."""
        # Elsewhere operations take a uint8 and a float32 alike; a CPU's are slow at it.
        if images_BCHW.device.type == "cpu":
            images_BCHW = images_BCHW.to(torch.float32)
        if not self._standardise:
            return images_BCHW / self._scale_C11
        return (images_BCHW - self._shift_C11).div_(self._scale_C11)

    def of_step(
        self, images_NP: Tensor, noise_NZ: Tensor, row_R: Tensor, step: Tensor
    ) -> tuple[Tensor, Tensor]:
        """The same of a step's rows of many images, each flattened from channels_last order:
        [R, C, H, W], in that order; and of their noise, [R, Z]. `row_R` are those of step 0, each
        step has R of its own.
        """
        channels, height, width = self._image_shape
        if self._fused:
            from trainers.kernels.images import rows_of_step  # needs Triton

            shift_C, scale_C = self._shift_C11.flatten(), self._scale_C11.flatten()
            images_RP, noise_RZ = rows_of_step(
                images_NP, noise_NZ, row_R, step, shift_C, scale_C, shifted=self._standardise
            )
            return images_RP.view(-1, height, width, channels).permute(0, 3, 1, 2), noise_RZ
        row_R = torch.add(row_R, step, alpha=len(row_R))
        images_RP, noise_RZ = images_NP.index_select(0, row_R), noise_NZ.index_select(0, row_R)
        images_RCHW = images_RP.view(-1, height, width, channels).permute(0, 3, 1, 2)
        return self.to_float(images_RCHW), noise_RZ

    def to_bytes(self, images_BCHW: Tensor) -> Tensor:
        """The nearest uint8 of images on the model's scale, clipped to [0, 255]."""
        bytes_BCHW = images_BCHW * self.scale_C11 + self.shift_C11
        return bytes_BCHW.round().clamp(0, 255).to(torch.uint8)
