"""The objective of one feature at a time."""

import numpy as np
import pytest

from funksvd.gradcheck import OBJECTIVES, compare, random_problem
from funksvd.objectives import incremental
from funksvd.objectives import plain as objective
from funksvd.objectives.incremental import residuals_without, row_weights

CHECKED = OBJECTIVES["incremental"]


def test_a_row_with_a_quarter_of_the_ratings_weighs_twice_as_much():
    weights = row_weights(np.array([4, 1, 0, 16]))
    assert weights[1] == 2 * weights[0] == 4 * weights[3]
    assert weights[3] == pytest.approx(np.sqrt((16 + 1 + 256) / 21 / 16))
    np.testing.assert_array_equal(row_weights(np.array([3, 3])), 1)


def test_where_all_rows_have_as_many_ratings_it_is_the_plain_objective():
    problem = random_problem(CHECKED, n_users=4, n_items=3, n_ratings=12)
    ref = objective.loss(problem.parameters, *problem.data)
    assert incremental.loss(problem.parameters, *problem.data) == pytest.approx(ref, rel=1e-12)
    problem = random_problem(CHECKED, n_users=4, n_items=3, n_ratings=7)
    ref = objective.loss(problem.parameters, *problem.data)
    assert incremental.loss(problem.parameters, *problem.data) != pytest.approx(ref, rel=1e-3)


@pytest.mark.parametrize("feature", [0, 2])
def test_residuals_biases_and_the_feature_make_up_the_error(feature):
    problem = random_problem(CHECKED)
    parameters, (u, i, values) = problem.parameters, problem.data[:3]
    residuals = residuals_without(parameters, feature, u, i, values)
    p, q = (factors[:, feature] for factors in parameters[3:])
    comp = residuals - parameters.user_biases[u] - parameters.item_biases[i] - p[u] * q[i]
    np.testing.assert_allclose(comp, values - objective.predict(parameters, u, i), rtol=1e-12)


def test_a_step_from_the_wrong_residuals_is_found():
    def shifted(users, items, residuals, *rest):
        CHECKED.kernel(users, items, residuals + np.float32(1), *rest)

    wrong = compare(CHECKED._replace(kernel=shifted), random_problem(CHECKED, n_factors=1))
    assert {(c.block, c.witness) for c in wrong if not c.agrees} == {
        (block, "kernel") for block in CHECKED.blocks
    }
