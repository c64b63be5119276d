"""Images made smaller with Pillow, as the studies did: the filter is part of what a dataset is."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


def resized(
    images: npt.NDArray[np.uint8], size: tuple[int, int], how: str
) -> npt.NDArray[np.uint8]:
    """uint8 [N, H, W, C] at `size` (height, width), rounded to uint8.

    bilinear: Pillow's, whose triangle grows with the reduction (disent, torchvision's resize of a
        PIL image). antialias: Lanczos of three lobes (disentanglement_lib, PIL's ANTIALIAS).
    Pillow's numbers of one channel are those of each channel of a colour image.
    """
    from PIL import Image

    filters = {"bilinear": Image.Resampling.BILINEAR, "antialias": Image.Resampling.LANCZOS}
    height, width = size
    smaller = np.empty((len(images), height, width, images.shape[3]), dtype=np.uint8)
    for image, target in zip(images, smaller, strict=True):
        picture = Image.fromarray(image[..., 0] if image.shape[2] == 1 else image)
        reduced = np.asarray(picture.resize((width, height), filters[how]))
        target[...] = reduced.reshape(target.shape)
    return smaller
