"""The backbone in the layout and the number format that the device is quickest with."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from roam_tracker.core.backbone import BackboneSpec, Layer, Weights, tensors_of
from roam_tracker.errors import ConfigError


def extract(spec: BackboneSpec, weights: Weights, patches: Tensor) -> Tensor:
    """The same result as `backbone.extract`, in the patches' type.

    weights: from `packed`, whose types say in which a layer is computed, or as published
    """
    x = patches
    for block in spec.blocks:
        entry = x
        for layer in block.layers:
            if layer.kind == "pool":
                x = F.max_pool2d(x, 2)
                continue
            kernel, bias = weights.get(f"{layer.name}.weight"), weights.get(f"{layer.name}.bias")
            if kernel is None or bias is None:
                kernel, bias = tensors_of(layer, weights)  # which names what is missing
            x = _convolve(x, kernel, bias, layer)
        x = x + entry if block.residual else x
    return x.to(patches.dtype)


def choose_precision(precision: str, device: torch.device) -> torch.dtype:
    """The number format of the backbone: the named one, or by `auto` the fastest the device has units for.

    Raises ConfigError for float16 on a CPU, whose convolutions lack it.
    """
    if precision == "float16" and device.type == "cpu":
        raise ConfigError("precision float16 needs CUDA. On a CPU use auto, bfloat16 or float32.")
    if precision != "auto":
        chosen: torch.dtype = getattr(torch, precision)
        return chosen
    if device.type == "cuda":
        native = torch.cuda.get_device_capability(device) >= (8, 0)
        return torch.bfloat16 if native else torch.float16
    native = _FUSED is not None and getattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)()
    return torch.bfloat16 if native else torch.float32


def bfloat16_on_cpu() -> bool:
    """Whether oneDNN can compute in bfloat16 on this processor."""
    return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


def packed(spec: BackboneSpec, weights: Weights, precision: torch.dtype = torch.float32) -> Weights:
    """The backbone's weights in that format, laid out for the device; not for gradients.

    On a CPU for oneDNN's fused kernels, with which `extract` takes 0.6 to 0.8 of the time in float32; in
    bfloat16, where the processor has instructions for it, 0.4 to 0.6 of that. Raises ConfigError for bfloat16
    on a processor without them.
    """
    on_cpu = _FUSED is not None and any(tensor.device.type == "cpu" for tensor in weights.values())
    if precision == torch.bfloat16 and on_cpu and not bfloat16_on_cpu():
        raise ConfigError("precision bfloat16 needs AVX-512, which this CPU lacks. Use auto or float32.")
    result = dict(weights)
    for layer in spec.layers:
        kernel, bias = weights.get(f"{layer.name}.weight"), weights.get(f"{layer.name}.bias")
        if kernel is None or bias is None:  # a pool; `extract` names one that is missing
            continue
        kind = torch.float32 if layer.exact else precision
        kernel, result[f"{layer.name}.bias"] = kernel.to(kind), bias.to(kind)
        padding, groups = kernel.shape[-1] // 2, kernel.shape[0] if kernel.shape[1] == 1 else 1
        if _FUSED is None or kernel.device.type != "cpu":
            result[f"{layer.name}.weight"] = kernel.to(memory_format=torch.channels_last)
            continue
        result[f"{layer.name}.weight"] = torch._C._nn.mkldnn_reorder_conv2d_weight(
            kernel.to_mkldnn(), [padding] * 2, [layer.stride] * 2, [1, 1], groups
        )
    return result


def _convolve(x: Tensor, kernel: Tensor, bias: Tensor, layer: Layer) -> Tensor:
    """The same result as `backbone.convolve`, in the type of the weights."""
    x = x.to(bias.dtype)
    if kernel.is_mkldnn:
        return _convolve_packed(x, kernel, bias, layer)
    x = F.conv2d(x, kernel, bias, layer.stride, kernel.shape[-1] // 2, groups=x.shape[1] // kernel.shape[1])
    if layer.activation == "relu6":
        return F.relu6(x, inplace=not torch.is_grad_enabled())
    if layer.activation == "relu":
        return F.relu(x, inplace=not torch.is_grad_enabled())
    return x


# PyTorch's own compiler emits this operator: a convolution that applies its activation before it
# writes, where two passes over maps larger than the cache would cost as much as the arithmetic.
_FUSED: Any = None
if torch.backends.mkldnn.is_available() and hasattr(torch._C._nn, "mkldnn_reorder_conv2d_weight"):
    _FUSED = getattr(torch.ops.mkldnn, "_convolution_pointwise", None)
_FUSED_ACTIVATIONS = {"none": ("none", []), "relu": ("relu", []), "relu6": ("hardtanh", [0.0, 6.0])}


def _convolve_packed(x: Tensor, kernel: Tensor, bias: Tensor, layer: Layer) -> Tensor:
    """What `_convolve` computes, with a kernel from `packed`."""
    padding, groups = kernel.shape[-1] // 2, x.shape[1] // kernel.shape[1]
    strides, (name, bounds) = [layer.stride] * 2, _FUSED_ACTIVATIONS[layer.activation]
    result: Tensor = _FUSED(x, kernel, bias, [padding] * 2, strides, [1, 1], groups, name, bounds, "")
    return result
