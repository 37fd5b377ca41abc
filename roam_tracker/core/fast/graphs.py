"""Fixed sequences of kernels as CUDA graphs: what is launched one by one costs more than it computes."""

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor


def numbers(values: Sequence[float], like: Tensor) -> Tensor:
    """The values as a tensor of the same type and device, which no copy from the host brings there.

    A graph cannot hold such a copy.
    """
    return torch.stack([torch.full((), value, dtype=like.dtype, device=like.device) for value in values])


class Graphs:
    """Runs functions that read and write the same tensors each time; on CUDA as graphs.

    A function may not look at values (that would wait for the device) nor depend on anything but the
    tensors and what never changes. On other devices it is simply called.
    """

    def __init__(self, device: torch.device, tensors: Mapping[str, Tensor]) -> None:
        self.device, self.tensors = device, tensors
        self.captured: dict[str, torch.cuda.CUDAGraph] = {}

    def run(self, name: str, function: Callable[[], None]) -> None:
        """Call `function`, which a graph stands for once it was captured under `name`."""
        if self.device.type != "cuda":
            function()
            return
        if name not in self.captured:
            self.captured[name] = self._capture(function)
        self.captured[name].replay()

    def _capture(self, function: Callable[[], None]) -> torch.cuda.CUDAGraph:
        """Warm up on a side stream, as capturing demands, and undo what that did to the tensors."""
        before = {name: tensor.clone() for name, tensor in self.tensors.items()}
        with torch.cuda.device(self.device):
            side = torch.cuda.Stream()
            side.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(side):
                for _ in range(3):
                    function()
            torch.cuda.current_stream().wait_stream(side)
            for name, tensor in before.items():
                self.tensors[name].copy_(tensor)
            torch.cuda.synchronize()
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph):
                function()
        return graph
