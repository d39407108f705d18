"""Forward mode: every value carries its tangent along (a dual number)."""

from __future__ import annotations

from typing import Any

import numpy as np

from funksvd.autodiff.tracing import Rule, Trace, Traced, check_derivative, check_nan, name_of


class Duals(Trace):
    """One evaluation with tangents; the mark of a traced array is its tangent."""

    def variable(self, value: Any, tangent: Any) -> Traced:
        """Trace an input together with its tangent."""
        check_nan(value, "an input")
        check_nan(tangent, "a tangent")
        return Traced(value, self, tangent)

    def apply(self, rule: Rule, arguments: tuple[Any, ...], keywords: dict[str, Any]) -> Any:
        """Evaluate an operation, and its derivative in the direction of the tangents."""
        jvps = self.derivatives(rule.jvps, rule, arguments)
        lowered = tuple(map(self.lower, arguments))
        value = rule.function(*lowered, **keywords)
        if not jvps:
            return value
        if rule.joint:
            tangents = [a.mark if self.follows(a) else np.zeros(np.shape(a)) for a in arguments]
            shares = [jvps[0][1](tangents, value, *lowered, **keywords)]
        else:
            shares = [jvp(arguments[at].mark, value, *lowered, **keywords) for at, jvp in jvps]
        for share in shares:
            check_derivative(share, value, f"the derivative of {name_of(rule.function)}")
        return Traced(value, self, sum(shares[1:], start=shares[0]))

    def describe(self, result: Any) -> str:
        """Name the mode: forward mode keeps no record of results."""
        return "forward mode"
