"""Reverse mode: write operations down, then walk back from the result.

The operations of one evaluation are a list of nodes, each after those it depends on. The list
backwards is therefore a reverse topological order, and no recursion is needed, however deep the
computation. Nodes refer to each other by number, so that Python also frees a long chain of them
without recursion.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from funksvd.autodiff.tracing import (
    Function,
    Rule,
    Trace,
    Traced,
    check_derivative,
    check_nan,
    name_of,
    raw,
)
from funksvd.autodiff.trees import flatten


def _input() -> None:
    """Stand for an input among the operations."""


INPUT = Rule(_input, (), ())


class Node(NamedTuple):
    """One operation and its result.

    Parameters
    ----------
    rule : Rule
        Rule of the operation; `INPUT` for an input.
    arguments, keywords : tuple, dict
        Arguments of the operation, without this level of tracing.
    value : ndarray
        Result of the operation.
    parents : list of (int, callable, int)
        For each argument to be differentiated by: its position, its VJP, and the number of the
        node that made it.
    """

    rule: Rule
    arguments: tuple[Any, ...]
    keywords: dict[str, Any]
    value: Any
    parents: list[tuple[int, Function, int]]

    @property
    def name(self) -> str:
        """The name of the operation."""
        return name_of(self.rule.function)

    def shares(self, g: Any) -> list[Any]:
        """The terms that this node, with the adjoint g, adds to its parents' adjoints."""
        given = (g, self.value, *self.arguments)
        if self.rule.joint:
            every = self.parents[0][1](*given, **self.keywords)
            return [every[position] for position, _, _ in self.parents]
        return [vjp(*given, **self.keywords) for _, vjp, _ in self.parents]


class Graph(Trace):
    """The operations of one evaluation, in order."""

    def __init__(self) -> None:
        super().__init__()
        self.nodes: list[Node] = []

    def variable(self, value: Any) -> Traced:
        """Trace an input."""
        check_nan(value, f"an input (node {len(self.nodes)})")
        return self._add(Node(INPUT, (), {}, value, []))

    def apply(self, rule: Rule, arguments: tuple[Any, ...], keywords: dict[str, Any]) -> Any:
        """Evaluate an operation and write it down."""
        vjps = self.derivatives(rule.vjps, rule, arguments)
        lowered = tuple(self.lower(a) if self.follows(a) else frozen(a) for a in arguments)
        keywords = keywords and frozen(keywords)
        value = rule.function(*lowered, **keywords)
        if not vjps:
            return value
        parents = [(at, vjp, arguments[at].mark) for at, vjp in vjps]
        return self._add(Node(rule, lowered, keywords, value, parents))

    def adjoints(self, seeds: dict[int, Any], keep: bool = False) -> dict[int, Any]:
        """The adjoint of each input that the seeded nodes depend on.

        Parameters
        ----------
        seeds : dict of int to array
            The adjoints to start from, by number of the node.
        keep : bool
            Whether to return the adjoints of all nodes, not of the inputs alone.

        Returns
        -------
        dict of int to array
            Adjoints by number of the node.
        """
        adjoints = dict(seeds)
        ours: set[int] = set()  # nodes whose adjoint is a sum made here: nothing else refers to it
        for number in range(max(adjoints, default=-1), -1, -1):
            node = self.nodes[number]
            if number not in adjoints or not node.parents:
                continue
            g = adjoints[number] if keep else adjoints.pop(number)
            shares = node.shares(g)
            for (_, _, parent), share in zip(node.parents, shares, strict=True):
                where = f"the derivative of {node.name} (node {number})"
                check_derivative(share, self.nodes[parent].value, where)
                if parent not in adjoints:
                    adjoints[parent] = share
                elif parent in ours and isinstance(share, np.ndarray):
                    adjoints[parent] += share
                else:
                    adjoints[parent] = adjoints[parent] + share
                    is_plain = isinstance(adjoints[parent], np.ndarray)
                    (ours.add if is_plain else ours.discard)(parent)
        return adjoints

    def describe(self, result: Traced) -> str:
        """Name the node of a result."""
        return f"node {result.mark}" if self.follows(result) else "not on the graph"

    def _add(self, node: Node) -> Traced:
        self.nodes.append(node)
        return Traced(node.value, self, len(self.nodes) - 1)


def frozen(value: Any) -> Any:
    """A value as it is now: what could change before the walk back is copied."""
    if isinstance(value, np.ndarray):
        return value.copy()
    if isinstance(value, slice):
        return slice(*map(frozen, (value.start, value.stop, value.step)))
    if isinstance(value, (tuple, list, dict)):
        leaves, rebuild = flatten(value)
        return rebuild(list(map(frozen, leaves)))
    return value


def table(graph: Graph, output: int) -> str:
    """Text with a line for each node, in order of evaluation: operands, value and adjoint."""

    def show(value: Any) -> str:
        plain = np.asarray(raw(value))
        text = np.array2string(plain, precision=6, threshold=6, separator=", ")
        return " ".join(text.split())

    adjoints = graph.adjoints({output: np.ones(())}, keep=True)
    rows = [("node", "operation", "operands", "value", "adjoint")]
    for number, node in enumerate(graph.nodes[: output + 1]):
        made_by = {position: parent for position, _, parent in node.parents}
        operands = [
            f"v{made_by[at]}" if at in made_by else show(a) if np.ndim(a) == 0 else "…"
            for at, a in enumerate(node.arguments)
        ]
        adjoint = show(adjoints[number]) if number in adjoints else "-"
        rows.append((f"v{number}", node.name, " ".join(operands), show(node.value), adjoint))
    widths = [max(len(row[at]) for row in rows) for at in range(5)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )
