"""Several witnesses to one gradient, side by side at the same point.

The gradient that training uses was derived by hand. Each witness finds it in another way:

    reverse      reverse-mode differentiation of the very function that states the loss
    forward      forward-mode differentiation of that function
    differences  central finite differences of that function
    kernel       movement by one step of the compiled kernel on one rating, at learning rate 1
    sympy        symbolic differentiation of that function, if SymPy is installed

Users and items repeat in the data, so that a lost contribution shows. Symbolic differentiation is
slow, and is given an excerpt of the data in which a user and an item repeat. A witness that cannot
differentiate a loss says so, and the others judge without it.

`register` adds an objective, whose gradient `funksvd gradcheck` then proves in seconds.
"""

from funksvd.gradcheck.comparison import Comparison, StepError, Verdict, compare, judge, study_steps
from funksvd.gradcheck.objectives import OBJECTIVES, Objective, find, register
from funksvd.gradcheck.problems import Problem, excerpt, random_problem, sampled_problem
from funksvd.gradcheck.witnesses import WITNESSES, Witness, available_witnesses

__all__ = [
    "OBJECTIVES",
    "WITNESSES",
    "Comparison",
    "Objective",
    "Problem",
    "StepError",
    "Verdict",
    "Witness",
    "available_witnesses",
    "compare",
    "excerpt",
    "find",
    "judge",
    "random_problem",
    "register",
    "sampled_problem",
    "study_steps",
]
