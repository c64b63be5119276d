"""Adam whose parameters, moments and bfloat16 copies each lie in one run of memory."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

from trainers.kernels import adam

ALIGNED = 64
"""Elements: where each parameter starts, so that kernels read it in the widest pieces."""


class FlatAdam(torch.optim.Adam):
    """torch's Adam with the step of `trainers.kernels.adam`: float32 on CUDA, captured or not.

    Moves the parameters into memory of its own. `copies` are bfloat16 and follow the parameters.
    """

    def __init__(
        self,
        parameters: Iterable[nn.Parameter],
        *,
        lr: float | Tensor,
        betas: tuple[float, float],
        eps: float,
    ) -> None:
        super().__init__(parameters, lr=lr, betas=betas, eps=eps, capturable=True)
        [group] = self.param_groups
        self._parameters: list[nn.Parameter] = group["params"]
        self._offsets = [0]
        for parameter in self._parameters:
            self._offsets.append(self._offsets[-1] + aligned(parameter.numel()))
        device = self._parameters[0].device
        self._weights, self._first, self._second = (
            torch.zeros(self._offsets[-1], device=device) for _ in range(3)
        )
        self._copies = torch.zeros(self._offsets[-1], dtype=torch.bfloat16, device=device)
        self._steps = torch.zeros((), device=device)
        self.copies: dict[Tensor, Tensor] = {
            p: self._view(self._copies, at) for at, p in enumerate(self._parameters)
        }
        with torch.no_grad():
            for at, parameter in enumerate(self._parameters):
                place = self._view(self._weights, at)
                place.copy_(parameter)
                parameter.data = place
        self._adopt()

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """Every parameter needs a gradient."""
        [group] = self.param_groups
        beta1, beta2 = group["betas"]
        self._steps += 1
        for start, end, gradients in self._runs():
            adam.step(
                self._weights[start:end],
                gradients,
                self._first[start:end],
                self._second[start:end],
                self._copies[start:end],
                self._steps,
                group["lr"],
                beta1=beta1,
                beta2=beta2,
                eps=group["eps"],
            )

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        super().load_state_dict(state_dict)
        with torch.no_grad():
            for memory in (self._first, self._second, self._steps):
                memory.zero_()
            for at, parameter in enumerate(self._parameters):
                if moments := self.state.get(parameter):
                    self._view(self._first, at).copy_(moments["exp_avg"])
                    self._view(self._second, at).copy_(moments["exp_avg_sq"])
                    self._steps.copy_(moments["step"])
        self._adopt()

    def _adopt(self) -> None:
        """The state is what lies in our memory, and the copies are those of the parameters."""
        self._copies.copy_(self._weights)
        for at, parameter in enumerate(self._parameters):
            self.state[parameter] = {
                "step": self._steps,
                "exp_avg": self._view(self._first, at),
                "exp_avg_sq": self._view(self._second, at),
            }

    def _view(self, flat: Tensor, at: int) -> Tensor:
        parameter = self._parameters[at]
        return flat.as_strided(parameter.shape, parameter.stride(), self._offsets[at])

    def _runs(self) -> list[tuple[int, int, Tensor]]:
        """Parameters that follow each other as their gradients do: from, to, and the gradients."""
        gradients = [parameter.grad for parameter in self._parameters]
        starts = [0]
        for at, (before, after) in enumerate(pairwise(gradients), 1):
            assert before is not None and after is not None
            apart = (after.data_ptr() - before.data_ptr()) // after.element_size()
            if (
                after.untyped_storage().data_ptr() != before.untyped_storage().data_ptr()
                or apart != self._offsets[at] - self._offsets[at - 1]
            ):
                starts.append(at)
        runs = []
        for first, end in pairwise([*starts, len(gradients)]):
            gradient = gradients[first]
            assert gradient is not None
            start = self._offsets[first]
            # What lies between the parameters is moved too: nobody reads it.
            size = self._offsets[end] - start
            if gradient.storage_offset() + size > gradient.untyped_storage().nbytes() // 4:
                size = self._offsets[end - 1] + self._parameters[end - 1].numel() - start
            runs.append((start, start + size, gradient.as_strided((size,), (1,))))
        return runs


def aligned(elements: int) -> int:
    """The next multiple of ALIGNED."""
    return -(-elements // ALIGNED) * ALIGNED
