"""Reverse mode: write operations down, then walk back from the result.

The operations of one evaluation are a list of nodes, each after those it depends on, so the
reverse of the list is a reverse topological order and no recursion is needed, however deep the
computation. Nodes know each other by number, so that a long chain of them is also forgotten
without recursion.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from funksvd.autodiff.tracing import (
    Rule,
    Trace,
    Traced,
    check_derivative,
    check_nan,
    name_of,
    raw,
)


class Node(NamedTuple):
    """One operation and its result.

    Parameters
    ----------
    rule : Rule or None
        None for an input.
    arguments, keywords : tuple, dict
        What it was given, without this level of tracing.
    value : ndarray
        Its result.
    parents : list of (int, callable, int)
        For each argument to be differentiated by: its position, its VJP, and the number of the
        node that made it.
    """

    rule: Rule | None
    arguments: tuple
    keywords: dict
    value: Any
    parents: list

    @property
    def name(self) -> str:
        """What it does."""
        return name_of(self.rule.function) if self.rule else "input"

    def shares(self, g: Any) -> list[Any]:
        """From this node's adjoint g, what it adds to that of each parent."""
        given = (g, self.value, *self.arguments)
        if self.rule.joint:
            every = self.rule.vjps[0](*given, **self.keywords)
            return [every[position] for position, _, _ in self.parents]
        return [vjp(*given, **self.keywords) for _, vjp, _ in self.parents]


class Graph(Trace):
    """The operations of one evaluation, in order."""

    def __init__(self) -> None:
        super().__init__()
        self.nodes: list[Node] = []

    def variable(self, value: Any) -> Traced:
        """An input."""
        check_nan(value, f"an input (node {len(self.nodes)})")
        return self._add(Node(None, (), {}, frozen(value), []))

    def apply(self, rule: Rule, arguments: tuple, keywords: dict) -> Any:
        """Evaluate an operation and write it down."""
        vjps = self.derivatives(rule.vjps, rule, arguments)
        lowered = tuple(self.lower(a) if self.follows(a) else frozen(a) for a in arguments)
        value = rule.function(*lowered, **keywords)
        if not vjps:
            return value
        parents = [(at, vjp, arguments[at].mark) for at, vjp in vjps]
        return self._add(Node(rule, lowered, keywords, value, parents))

    def adjoints(self, seeds: dict[int, Any], keep: bool = False) -> dict[int, Any]:
        """The adjoint of each input that the seeded nodes depend on, by number.

        Parameters
        ----------
        seeds : dict
            Adjoints to start from, by number of the node.
        keep : bool
            Return the adjoints of all nodes, not of the inputs alone.
        """
        adjoints = dict(seeds)
        ours = set()  # whose adjoints are arrays made here: nothing else refers to them
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
        """Where a result is on the graph."""
        return f"node {result.mark}" if self.follows(result) else "not on the graph"

    def _add(self, node: Node) -> Traced:
        self.nodes.append(node)
        return Traced(node.value, self, len(self.nodes) - 1)


def frozen(value: Any) -> Any:
    """A copy of what could be changed in place before the walk back."""
    if isinstance(value, np.ndarray) and value.flags.writeable:
        return value.copy()
    if type(value) in (tuple, list):
        return type(value)(map(frozen, value))
    return value


def table(graph: Graph, output: int) -> str:
    """Each node with its operands, value and adjoint, in the order of evaluation."""

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
