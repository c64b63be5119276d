"""Features of images by the Inception network of the FID: pool3 of Inception-v3, 2,048 numbers.

Szegedy et al. 2016, "Rethinking the Inception Architecture", as TensorFlow's graph of 2015-12-05
has it, from which Heusel et al. 2017 compute the FID: against the published network, averages at
the borders leave the padding out and the last block takes a maximum. Names of layers are those of
the weights' file (pytorch-fid's port of that graph). torchvision's own weights give other numbers.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

FEATURES = 2048
SIZE = 299
WEIGHTS = "pt_inception-2015-12-05-6726825d.pth"
WEIGHTS_SHA256 = "6726825d"  # begins so, as the name of the file ends
WEIGHTS_URL = f"https://github.com/mseitzer/pytorch-fid/releases/download/fid_weights/{WEIGHTS}"

Kernel = int | tuple[int, int]
Layers = Mapping[str, tuple[int, int, Kernel, int, Kernel]]
"""By name: channels in and out, kernel, stride, padding."""


class InceptionError(ValueError):
    """The weights' file is not what it should be; one line."""


class Convolution(nn.Module):
    """Convolution, batch normalisation with the statistics of the training, ReLU."""

    def __init__(
        self, channels_in: int, channels_out: int, kernel: Kernel, stride: int, padding: Kernel
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels_in, channels_out, kernel, stride, padding, bias=False)
        self.bn = nn.BatchNorm2d(channels_out, eps=0.001)

    def forward(self, images_BCHW: Tensor) -> Tensor:
        return F.relu(self.bn(self.conv(images_BCHW)), inplace=True)


class Block(nn.ModuleDict):
    """Layers by name; `chain` runs some of them one after the other."""

    def __init__(self, layers: Layers) -> None:
        super().__init__({name: Convolution(*layer) for name, layer in layers.items()})

    def chain(self, images_BCHW: Tensor, *names: str) -> Tensor:
        for name in names:
            images_BCHW = self[name](images_BCHW)
        return images_BCHW


def average(images_BCHW: Tensor) -> Tensor:
    """Over 3x3, without the padding."""
    return F.avg_pool2d(images_BCHW, 3, 1, 1, count_include_pad=False)


class BlockA(Block):
    """35x35: 1x1, 5x5, two 3x3, and an average."""

    def __init__(self, channels: int, pooled: int) -> None:
        super().__init__(
            {
                "branch1x1": (channels, 64, 1, 1, 0),
                "branch5x5_1": (channels, 48, 1, 1, 0),
                "branch5x5_2": (48, 64, 5, 1, 2),
                "branch3x3dbl_1": (channels, 64, 1, 1, 0),
                "branch3x3dbl_2": (64, 96, 3, 1, 1),
                "branch3x3dbl_3": (96, 96, 3, 1, 1),
                "branch_pool": (channels, pooled, 1, 1, 0),
            }
        )

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat(
            [
                self.chain(x, "branch1x1"),
                self.chain(x, "branch5x5_1", "branch5x5_2"),
                self.chain(x, "branch3x3dbl_1", "branch3x3dbl_2", "branch3x3dbl_3"),
                self.chain(average(x), "branch_pool"),
            ],
            dim=1,
        )


class BlockB(Block):
    """35x35 to 17x17."""

    def __init__(self, channels: int) -> None:
        super().__init__(
            {
                "branch3x3": (channels, 384, 3, 2, 0),
                "branch3x3dbl_1": (channels, 64, 1, 1, 0),
                "branch3x3dbl_2": (64, 96, 3, 1, 1),
                "branch3x3dbl_3": (96, 96, 3, 2, 0),
            }
        )

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat(
            [
                self.chain(x, "branch3x3"),
                self.chain(x, "branch3x3dbl_1", "branch3x3dbl_2", "branch3x3dbl_3"),
                F.max_pool2d(x, 3, 2),
            ],
            dim=1,
        )


class BlockC(Block):
    """17x17: 1x1, 7x7 and two 7x7 in parts of 1x7 and 7x1, and an average."""

    def __init__(self, inner: int) -> None:
        row: tuple[Kernel, int, Kernel] = ((1, 7), 1, (0, 3))
        column: tuple[Kernel, int, Kernel] = ((7, 1), 1, (3, 0))
        super().__init__(
            {
                "branch1x1": (768, 192, 1, 1, 0),
                "branch7x7_1": (768, inner, 1, 1, 0),
                "branch7x7_2": (inner, inner, *row),
                "branch7x7_3": (inner, 192, *column),
                "branch7x7dbl_1": (768, inner, 1, 1, 0),
                "branch7x7dbl_2": (inner, inner, *column),
                "branch7x7dbl_3": (inner, inner, *row),
                "branch7x7dbl_4": (inner, inner, *column),
                "branch7x7dbl_5": (inner, 192, *row),
                "branch_pool": (768, 192, 1, 1, 0),
            }
        )

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat(
            [
                self.chain(x, "branch1x1"),
                self.chain(x, *(f"branch7x7_{number}" for number in range(1, 4))),
                self.chain(x, *(f"branch7x7dbl_{number}" for number in range(1, 6))),
                self.chain(average(x), "branch_pool"),
            ],
            dim=1,
        )


class BlockD(Block):
    """17x17 to 8x8."""

    def __init__(self) -> None:
        super().__init__(
            {
                "branch3x3_1": (768, 192, 1, 1, 0),
                "branch3x3_2": (192, 320, 3, 2, 0),
                "branch7x7x3_1": (768, 192, 1, 1, 0),
                "branch7x7x3_2": (192, 192, (1, 7), 1, (0, 3)),
                "branch7x7x3_3": (192, 192, (7, 1), 1, (3, 0)),
                "branch7x7x3_4": (192, 192, 3, 2, 0),
            }
        )

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat(
            [
                self.chain(x, "branch3x3_1", "branch3x3_2"),
                self.chain(x, *(f"branch7x7x3_{number}" for number in range(1, 5))),
                F.max_pool2d(x, 3, 2),
            ],
            dim=1,
        )


class BlockE(Block):
    """8x8: 1x1, 3x3 and two 3x3 that end in 1x3 beside 3x1, and an average or a maximum."""

    def __init__(self, channels: int, maximum: bool) -> None:
        row: tuple[Kernel, int, Kernel] = ((1, 3), 1, (0, 1))
        column: tuple[Kernel, int, Kernel] = ((3, 1), 1, (1, 0))
        super().__init__(
            {
                "branch1x1": (channels, 320, 1, 1, 0),
                "branch3x3_1": (channels, 384, 1, 1, 0),
                "branch3x3_2a": (384, 384, *row),
                "branch3x3_2b": (384, 384, *column),
                "branch3x3dbl_1": (channels, 448, 1, 1, 0),
                "branch3x3dbl_2": (448, 384, 3, 1, 1),
                "branch3x3dbl_3a": (384, 384, *row),
                "branch3x3dbl_3b": (384, 384, *column),
                "branch_pool": (channels, 192, 1, 1, 0),
            }
        )
        self.maximum = maximum

    def forward(self, x: Tensor) -> Tensor:
        single = self.chain(x, "branch3x3_1")
        double = self.chain(x, "branch3x3dbl_1", "branch3x3dbl_2")
        pooled = F.max_pool2d(x, 3, 1, 1) if self.maximum else average(x)
        return torch.cat(
            [
                self.chain(x, "branch1x1"),
                self.chain(single, "branch3x3_2a"),
                self.chain(single, "branch3x3_2b"),
                self.chain(double, "branch3x3dbl_3a"),
                self.chain(double, "branch3x3dbl_3b"),
                self.chain(pooled, "branch_pool"),
            ],
            dim=1,
        )


class Inception(nn.Module):
    """uint8 images [B, C, H, W] of one or three channels to float32 [B, 2048]."""

    def __init__(self) -> None:
        super().__init__()
        self.Conv2d_1a_3x3 = Convolution(3, 32, 3, 2, 0)
        self.Conv2d_2a_3x3 = Convolution(32, 32, 3, 1, 0)
        self.Conv2d_2b_3x3 = Convolution(32, 64, 3, 1, 1)
        self.Conv2d_3b_1x1 = Convolution(64, 80, 1, 1, 0)
        self.Conv2d_4a_3x3 = Convolution(80, 192, 3, 1, 0)
        self.Mixed_5b = BlockA(192, 32)
        self.Mixed_5c = BlockA(256, 64)
        self.Mixed_5d = BlockA(288, 64)
        self.Mixed_6a = BlockB(288)
        self.Mixed_6b = BlockC(128)
        self.Mixed_6c = BlockC(160)
        self.Mixed_6d = BlockC(160)
        self.Mixed_6e = BlockC(192)
        self.Mixed_7a = BlockD()
        self.Mixed_7b = BlockE(1280, maximum=False)
        self.Mixed_7c = BlockE(2048, maximum=True)
        self.eval()

    def forward(self, images_BCHW: Tensor) -> Tensor:
        # Grey is repeated; bytes go to [-1, 1]; the enlargement is that of the port.
        x = images_BCHW.expand(-1, 3, -1, -1).to(torch.float32) / 127.5 - 1
        x = F.interpolate(x, size=(SIZE, SIZE), mode="bilinear", align_corners=False)
        x = self.Conv2d_2b_3x3(self.Conv2d_2a_3x3(self.Conv2d_1a_3x3(x)))
        x = self.Conv2d_4a_3x3(self.Conv2d_3b_1x1(F.max_pool2d(x, 3, 2)))
        x = F.max_pool2d(x, 3, 2)
        for name, block in self.named_children():
            if name.startswith("Mixed"):
                x = block(x)
        return x.mean(dim=(2, 3))


def read_inception(path: Path, device: torch.device) -> Inception:
    """The network with the weights of a file; InceptionError where it is another file."""
    try:
        weights = torch.load(path, weights_only=True, map_location="cpu")
        network = Inception()
        # The classifier behind the features has no use here.
        kept = {name: value for name, value in weights.items() if not name.startswith("fc.")}
        for name in network.state_dict():
            if name.endswith("num_batches_tracked"):  # not in every copy, and of no use
                kept.setdefault(name, torch.tensor(0))
        network.load_state_dict(kept)
    except OSError as error:
        raise InceptionError(f"{path}: {error.strerror}; {expected()}") from None
    except Exception as error:  # whatever a file that is something else makes torch raise
        reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise InceptionError(f"{path}: not these weights ({reason}); {expected()}") from None
    return network.to(device)


def check_weights(path: Path) -> None:
    """InceptionError unless it is the published file."""
    try:
        with open(path, "rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise InceptionError(f"{path}: {error.strerror}; {expected()}") from None
    if not found.startswith(WEIGHTS_SHA256):
        raise InceptionError(f"{path}: its sha256 begins {found[:8]}; {expected()}")


def expected() -> str:
    return f"valid: {WEIGHTS}, sha256 {WEIGHTS_SHA256}..., from {WEIGHTS_URL}"
