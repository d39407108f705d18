"""Several witnesses to one gradient, side by side at the same point.

The gradient that training uses was derived by hand. Each witness finds it in another way:

    reverse     reverse-mode differentiation of the very function that states the loss
    forward     forward-mode differentiation of it
    differences central finite differences of it
    kernel      what one step of the compiled kernel, on one rating at learning rate 1, moves
    sympy       symbolic differentiation of it, where SymPy is installed

The data repeat users and items, so that a lost contribution shows. Whoever changes an objective
or adds one registers it here (`register`) and can prove its gradient in seconds.
"""

from funksvd.gradcheck.comparison import Comparison, StepError, compare, study_steps
from funksvd.gradcheck.objectives import OBJECTIVES, Objective, register
from funksvd.gradcheck.problems import Problem, random_problem, sampled_problem
from funksvd.gradcheck.witnesses import TOLERANCES, WITNESSES, available_witnesses

__all__ = [
    "OBJECTIVES",
    "TOLERANCES",
    "WITNESSES",
    "Comparison",
    "Objective",
    "Problem",
    "StepError",
    "available_witnesses",
    "compare",
    "random_problem",
    "register",
    "sampled_problem",
    "study_steps",
]
