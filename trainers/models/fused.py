"""The convolutional networks with the kernels of `trainers.kernels`: halves with a gradient.

The same layers as the modules', in bfloat16 with sums in float32, and their gradients written down:
each layer is one kernel forward (bias and ReLU with it), and backward one for its input (with the
mask of the ReLU below) and one for its weights, whose parts are added up for all of a half at once.
What leaves a half (the head's numbers, the logits or their loss) is float32.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from grids import parts
from trainers.flat_adam import FlatAdam, aligned
from trainers.kernels import convolution, decoded, dense, pairs, posterior
from trainers.kernels.convolution import Layer
from trainers.kernels.images import padded
from trainers.models.transposed import TransposedConvolution
from trainers.models.vae import VAE, DecodedLoss

Layers = list[nn.Conv2d | nn.Linear | TransposedConvolution]
NOT_LAYERS = nn.Sequential, nn.Flatten, nn.Unflatten


MOST_IMAGES = 2**31 // (33 * 33 * 32)
"""A step: beyond them the offsets of the largest activations leave 32 bits."""


def fusible(model: VAE, images: int) -> bool:
    """Whether both halves are what the kernels make (strided convolutions, dense layers, ReLUs) for
    so many images a step."""
    halves = model.encoder, model.decoder
    return images <= MOST_IMAGES and all(_layers(half) for half in halves)


def fuse(model: VAE, image_side: int, part: parts.Adam, lr: float | Tensor) -> FlatAdam:
    """Has the model use them, and gives the optimiser that keeps what they read."""
    optimizer = FlatAdam(model.parameters(), lr=lr, betas=(part.beta1, part.beta2), eps=part.eps)
    model.fused = FusedHalves(model, image_side, optimizer.copies)
    return optimizer


def _layers(half: nn.Module) -> Layers:
    """The layers of a half, a ReLU between each two; none where it has others."""
    found: Layers = []
    relus = 0
    for module in half.modules():
        if isinstance(module, nn.ReLU):
            relus += 1
        elif isinstance(module, nn.Conv2d | nn.Linear | TransposedConvolution):
            found.append(module)
        elif not isinstance(module, NOT_LAYERS):
            return []
    convolutional = any(not isinstance(layer, nn.Linear) for layer in found)
    return found if convolutional and relus == len(found) - 1 else []


class FusedHalves:
    """Both halves of a model whose weights have bfloat16 copies beside them, kept by whoever moves
    the weights.

    `copy_of` gives the copy of a parameter, with the parameter's strides (channels_last).
    """

    def __init__(self, model: VAE, image_side: int, copy_of: dict[Tensor, Tensor]) -> None:
        encoder, decoder = _layers(model.encoder), _layers(model.decoder)
        split = sum(isinstance(layer, nn.Conv2d) for layer in encoder)
        self._down = _geometry(encoder[:split], image_side)
        self._up = _geometry(
            [layer for layer in reversed(decoder) if not isinstance(layer, nn.Linear)], image_side
        )[::-1]
        self._encoder = _parameters(encoder, copy_of)
        self._decoder = _parameters(decoder, copy_of)

    def encode(self, images_BCHW: Tensor) -> Tensor:
        """The head's outputs, float32 [B, O], of float32 images in channels_last order."""
        parameters, copies = self._encoder
        head: Tensor = _Encoder.apply(images_BCHW, self._down, copies, *parameters)  # type: ignore[no-untyped-call]
        return head

    def decode(self, z_BZ: Tensor) -> Tensor:
        """The decoder's linear output, float32 [B, C, H, W] in channels_last order."""
        return self._decoded(z_BZ, None)

    def decoded_loss(self, z_BZ: Tensor, images_BCHW: Tensor, loss: DecodedLoss) -> Tensor:
        """Of that output, summed over an image and averaged over the batch; the images as `encode`
        has them."""
        return self._decoded(z_BZ, (images_BCHW, loss))

    def sample(self, mean_BZ: Tensor, logvar_BZ: Tensor, noise_BZ: Tensor) -> tuple[Tensor, Tensor]:
        return posterior.sampled(mean_BZ, logvar_BZ, noise_BZ)

    def averaged(
        self, mean_BZ: Tensor, logvar_BZ: Tensor, divergence: str, averaging: str, ratio: float
    ) -> tuple[Tensor, Tensor, Tensor]:
        return pairs.averaged(mean_BZ, logvar_BZ, divergence, averaging, ratio)

    def _decoded(self, z_BZ: Tensor, target: tuple[Tensor, DecodedLoss] | None) -> Tensor:
        parameters, copies = self._decoder
        found: Tensor = _Decoder.apply(z_BZ, target, self._up, copies, *parameters)  # type: ignore[no-untyped-call]
        return found


def _geometry(layers: Sequence[nn.Module], side: int) -> list[Layer]:
    """From the image inwards; the last one's small side is a dense layer's."""
    found = []
    for layer in layers:
        assert isinstance(layer, nn.Conv2d | nn.ConvTranspose2d)
        kernel, padding = layer.kernel_size[0], int(layer.padding[0])
        small = (side + 2 * padding - kernel) // 2 + 1
        channels = layer.weight.shape[1], layer.weight.shape[0]
        found.append(Layer(side, small, *channels, kernel, padding, small_flat=layer is layers[-1]))
        side = small
    return found


def _parameters(layers: Layers, copy_of: dict[Tensor, Tensor]) -> tuple[list[Tensor], list[Tensor]]:
    """Weight and bias of each layer in turn, and the copies of the weights as the kernels want
    them.
    """
    parameters: list[Tensor] = []
    copies = []
    for layer in layers:
        assert layer.bias is not None
        parameters += [layer.weight, layer.bias]
        copies.append(_as_stored(copy_of[layer.weight]))
    return parameters, copies


def _as_stored(weight: Tensor) -> Tensor:
    """[Cy, Cx, k, k] in channels_last order as contiguous [Cy, k, k, Cx]."""
    return weight.permute(0, 2, 3, 1) if weight.dim() == 4 else weight


def _gradients(parameters: Sequence[Tensor]) -> list[Tensor]:
    """New float32 tensors with the places of the parameters, one after the other in memory as those
    are: what moves the weights can read them in one piece.
    """
    first, last = parameters[0].storage_offset(), parameters[-1]
    size = aligned(int(last.storage_offset()) + last.numel()) - int(first)
    flat = torch.empty(size, dtype=torch.float32, device=last.device)
    return [flat.as_strided(p.shape, p.stride(), p.storage_offset() - first) for p in parameters]


def _as_kept(images_BHWC: Tensor) -> Tensor:
    """Three channels as four, which are read in one piece."""
    images_BHWC = images_BHWC.contiguous()
    return padded(images_BHWC) if images_BHWC.shape[-1] == 3 else images_BHWC


class _Encoder(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, images: Tensor, layers: list[Layer], copies: list[Tensor], *parameters: Tensor
    ) -> Tensor:
        given = [_as_kept(images.permute(0, 2, 3, 1))]
        for place, (copy, bias) in enumerate(zip(copies[:-1], parameters[1:-1:2], strict=True)):
            if place < len(layers):
                given.append(convolution.down(layers[place], given[-1], copy, bias))
            else:
                flat = given[-1].flatten(1)
                given.append(dense.forward(flat, copy, bias, relu=True, dtype=torch.bfloat16))
        ctx.layers, ctx.copies, ctx.given, ctx.parameters = layers, copies, given, parameters
        last = given[-1].flatten(1)
        return dense.forward(last, copies[-1], parameters[-1], relu=False, dtype=torch.float32)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        layers, copies, given = ctx.layers, ctx.copies, ctx.given
        gradients = _gradients(ctx.parameters)
        found: list[convolution.Parts] = []
        sums: Tensor | None = None
        for place in reversed(range(len(copies))):
            weight, bias = gradients[2 * place : 2 * place + 2]
            if place >= len(layers):
                x = given[place].flatten(1)
                dense.weight_gradient(gradient, x, weight, bias)
                gradient = dense.input_gradient(gradient, copies[place], mask_BI=x)
                continue
            layer, weight = layers[place], _as_stored(weight)
            found.append(
                convolution.weight_gradient(
                    layer, given[place], gradient, weight, bias, transposed=False, sums=sums
                )
            )
            if place > 0:
                # The image's own layer adds up what it is given as it reads it.
                gradient, sums = convolution.up_masked(
                    layer, gradient, copies[place], given[place], summed=place > 1
                )
        convolution.add_up(found)
        del ctx.given  # the activations
        return None, None, None, *gradients


class _Decoder(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        z: Tensor,
        target: tuple[Tensor, DecodedLoss] | None,
        layers: list[Layer],
        copies: list[Tensor],
        *parameters: Tensor,
    ) -> Tensor:
        """The output, or where there are images to compare it with its loss, mean over them."""
        given = [z.contiguous()]
        denses = len(copies) - len(layers)
        bfloat16 = torch.bfloat16
        for place, (copy, bias) in enumerate(zip(copies[:-1], parameters[1:-1:2], strict=True)):
            if place < denses:
                given.append(dense.forward(given[-1], copy, bias, relu=True, dtype=bfloat16))
            else:
                layer = layers[place - denses]
                given.append(
                    convolution.up(layer, given[-1], copy, bias, relu=True, dtype=bfloat16)
                )
        ctx.layers, ctx.copies, ctx.given, ctx.parameters = layers, copies, given, parameters
        ctx.loss_gradient = None
        last = layers[-1], given[-1], copies[-1], parameters[-1]
        if target is None:
            return convolution.up(*last, relu=False, dtype=torch.float32).permute(0, 3, 1, 2)
        images, loss = target[0].permute(0, 2, 3, 1).contiguous(), target[1]
        found = decoded.up_loss(*last, images, squared=loss == "mse")
        ctx.loss_gradient = found.gradient
        return found.parts.sum()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        layers, copies, given = ctx.layers, ctx.copies, ctx.given
        gradients = _gradients(ctx.parameters)
        scale: Tensor | None = None
        if ctx.loss_gradient is None:
            gradient = _as_kept(gradient.permute(0, 2, 3, 1))
        else:
            # What comes in is one number, which the sums in float32 are multiplied by.
            gradient, scale = ctx.loss_gradient, gradient
        found: list[convolution.Parts] = []
        sums: Tensor | None = None
        denses = len(copies) - len(layers)
        for place in reversed(range(len(copies))):
            weight, bias = gradients[2 * place : 2 * place + 2]
            if place >= denses:
                layer, weight = layers[place - denses], _as_stored(weight)
                found.append(
                    convolution.weight_gradient(
                        layer,
                        gradient,
                        given[place],
                        weight,
                        bias,
                        transposed=True,
                        sums=sums,
                        scale=scale,
                    )
                )
                gradient, sums = convolution.down_masked(
                    layer, gradient, copies[place], given[place], scale=scale
                )
                scale = None
                continue
            gradient = gradient.flatten(1)
            dense.weight_gradient(gradient, given[place], weight, bias)
            if place > 0:
                gradient = dense.input_gradient(gradient, copies[place], mask_BI=given[place])
            else:
                gradient = dense.input_gradient(gradient, copies[0], dtype=torch.float32)
        convolution.add_up(found)
        del ctx.given, ctx.loss_gradient
        return gradient, None, None, None, *gradients
