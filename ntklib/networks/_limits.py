"""The infinite-width limit of a parameterisation: an analytic kernel, or the reason why there is none."""

from __future__ import annotations

from sklearn.gaussian_process.kernels import ConstantKernel, Kernel

from ntklib.kernels import NTK

from .spec import Spec

__all__ = ["limit_kernel"]


def limit_kernel(spec: Spec) -> Kernel:
    """Return the limit of the tangent kernel of one output with each array's step multiplier, at the start.

    In the NTK and mean-field parameterisations layer l contributes P_l (weight_std^2 E[s s] + bias_std^2),
    P_l the signals from above, which is the analytic NTK.  The maximal-update parameterisation keeps the
    spreads inside the arrays and contributes P_l (E[s s] + 1), without the 1 if there are no biases; so does
    the first layer of the standard parameterisation, the only one of it that has a limit.
    """
    inside = spec.parameterization in ("standard", "mup")  # spreads inside the arrays
    if spec.parameterization == "standard" and any(spec.include[1:]):
        raise ValueError(
            "the standard parameterization has no limit kernel: the contribution of every layer but the "
            "first grows in proportion to width, and the largest stable step falls like 1/width; ntk / width "
            "tends to a kernel. Use parameterization='ntk', 'mean_field' or 'mup', or train the first only."
        )
    kernel = _kernel(spec)
    if inside:
        if spec.fan_in and spec.include[0]:
            raise ValueError(
                f"the limit of {spec.parameterization!r} with input_scaling='fan_in' weighs the first layer "
                "by the number of features; use input_scaling='none' on rows divided by its square root."
            )
        if spec.biases and not (spec.weight_std == 1 and spec.bias_std == 1):
            raise ValueError(
                f"the limit of {spec.parameterization!r} is an analytic kernel of this library only for "
                "bias_std=0, or for weight_std=1 and bias_std=1: otherwise the kernel weighs weights and "
                "biases differently from the outputs."
            )
        if spec.weight_std != 1:
            kernel = ConstantKernel(spec.weight_std**-2, "fixed") * kernel
    if spec.scale != 1:
        kernel = ConstantKernel(spec.scale**2, "fixed") * kernel
    return kernel


def _kernel(spec: Spec) -> Kernel:
    trained = tuple(layer for layer, included in enumerate(spec.include) if included)
    return NTK(
        spec.depth,
        spec.activation,
        weight_std=spec.weight_std,
        bias_std=spec.bias_std,
        input_scaling="fan_in" if spec.fan_in else "none",
        trainable="all" if all(spec.include) else trained,
    )
