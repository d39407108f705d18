"""The rule table: one line for each function, by subject; read `registering` first.

Where a function has a kink, a subgradient is taken: 0 for abs, norm, std and hypot at zero and
for relu at zero; a maximum shares the derivative equally among the elements that attain it; a
sort takes equal elements in the order in which it puts them. The second derivative of a norm at
zero does not exist, and is NaN.
"""

from funksvd.autodiff.rules.algebra import contract, log_det, lower_factor, solution
from funksvd.autodiff.rules.elementwise import direction, logistic, polygamma, relu
from funksvd.autodiff.rules.reductions import logsumexp, norm, softmax
from funksvd.autodiff.rules.registering import primitive, register
from funksvd.autodiff.rules.shapes import join, scatter_add

__all__ = [
    "contract",
    "direction",
    "join",
    "log_det",
    "logistic",
    "logsumexp",
    "lower_factor",
    "norm",
    "polygamma",
    "primitive",
    "register",
    "relu",
    "scatter_add",
    "softmax",
    "solution",
]
