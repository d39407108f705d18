"""Automatic differentiation of NumPy code, small enough to be read in an evening.

Read `tracing` (record), `reverse` (walk back) and `rules` first. Ordinary NumPy expressions of
float64 arrays can be differentiated as they stand:

>>> import numpy as np
>>> from funksvd.autodiff import grad, hessian
>>> def f(x):
...     return np.sum(np.sin(x) ** 2)
>>> bool(np.allclose(grad(f)(np.array([0.0, 1.0])), np.sin([0.0, 2.0])))
True

This package knows nothing of ratings.
"""

from funksvd.autodiff import numeric
from funksvd.autodiff.rules import logistic, logsumexp, primitive, register, relu, softmax
from funksvd.autodiff.tracing import AutodiffError, NotANumberError, nan_errors
from funksvd.autodiff.transforms import (
    explain,
    grad,
    hessian,
    hvp,
    jacobian,
    jvp,
    value_and_grad,
    vjp,
)

__all__ = [
    "AutodiffError",
    "NotANumberError",
    "explain",
    "grad",
    "hessian",
    "hvp",
    "jacobian",
    "jvp",
    "logistic",
    "logsumexp",
    "nan_errors",
    "numeric",
    "primitive",
    "register",
    "relu",
    "softmax",
    "value_and_grad",
    "vjp",
]
