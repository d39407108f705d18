"""The SVD of learned factors against SciPy's of the dense matrix."""

import numpy as np
import pytest
import scipy.linalg

from funksvd import FunkSVD, Ratings
from funksvd.learned.svd import svd_of_product


@pytest.fixture(params=[(30, 20, 5), (20, 30, 5), (4, 30, 6), (30, 4, 6), (7, 7, 1)])
def factors(request):
    m, n, k = request.param
    generator = np.random.default_rng(0)
    return generator.normal(size=(m, k)), generator.normal(size=(n, k))


def test_equals_the_svd_of_the_dense_matrix(factors):
    left, right = factors
    comp = svd_of_product(left, right)
    ref_u, ref_s, ref_vt = scipy.linalg.svd(left @ right.T, full_matrices=False)
    k = len(comp.singular_values)
    assert k == min(*left.shape, len(right))
    np.testing.assert_allclose(comp.singular_values, ref_s[:k], rtol=1e-12, atol=1e-12)
    signs = np.sign(np.sum(comp.u * ref_u[:, :k], axis=0))
    np.testing.assert_allclose(comp.u * signs, ref_u[:, :k], atol=1e-10)
    np.testing.assert_allclose(comp.vt * signs[:, None], ref_vt[:k], atol=1e-10)
    np.testing.assert_allclose(comp.reconstruct(), left @ right.T, atol=1e-12)


def test_the_sign_rule(factors):
    comp = svd_of_product(*factors)
    largest = comp.u[np.argmax(np.abs(comp.u), axis=0), np.arange(comp.u.shape[1])]
    assert (largest > 0).all()
    flipped = svd_of_product(-factors[0], -factors[1])
    np.testing.assert_allclose(flipped.u, comp.u, atol=1e-10)


def test_any_rotation_of_the_factors_gives_the_same_svd():
    generator = np.random.default_rng(1)
    left, right = generator.normal(size=(12, 4)), generator.normal(size=(9, 4))
    mix = generator.normal(size=(4, 4))
    one, other = (
        svd_of_product(left, right),
        svd_of_product(left @ mix, right @ np.linalg.inv(mix).T),
    )
    for a, b in zip(one, other, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-8)


def test_truncation_is_the_best_approximation(factors):
    left, right = factors
    dense = left @ right.T
    ref = scipy.linalg.svd(dense, compute_uv=False)
    for rank in range(1, min(3, *left.shape) + 1):
        error = np.linalg.norm(dense - svd_of_product(left, right).truncated(rank).reconstruct())
        assert error == pytest.approx(np.sqrt(np.sum(ref[rank:] ** 2)), rel=1e-10, abs=1e-10)


def test_the_pseudo_inverse_equals_scipys(factors):
    left, right = factors
    comp = svd_of_product(left, right).pseudo_inverse()
    ref = scipy.linalg.pinv(left @ right.T)
    np.testing.assert_allclose(comp.reconstruct(), ref, atol=1e-9)
    assert (np.diff(comp.singular_values) <= 0).all()
    b = np.arange(len(left), dtype=float)
    np.testing.assert_allclose(comp.dot(b), ref @ b, atol=1e-9)
    np.testing.assert_allclose(comp.dot(np.stack([b, 2 * b], axis=1))[:, 1], 2 * ref @ b, atol=1e-9)


def test_directions_of_no_weight_are_left_out_of_the_pseudo_inverse():
    generator = np.random.default_rng(2)
    left, right = generator.normal(size=(10, 3)), generator.normal(size=(8, 3))
    left[:, 2] = left[:, 0] + left[:, 1]
    right[:, 2] = -right[:, 0]
    comp = svd_of_product(left, right)
    assert comp.rank == np.linalg.matrix_rank(left @ right.T) < 3
    ref = scipy.linalg.pinv(left @ right.T, rtol=1e-10)
    np.testing.assert_allclose(comp.pseudo_inverse().reconstruct(), ref, atol=1e-9)


def test_projection_gives_principal_components():
    generator = np.random.default_rng(3)
    left, right = generator.normal(size=(15, 4)), generator.normal(size=(10, 4))
    comp = svd_of_product(left, right)
    np.testing.assert_allclose(
        comp.project(left @ right.T), comp.u * comp.singular_values, atol=1e-12
    )


def test_explained_energy(factors):
    left, right = factors
    comp = svd_of_product(left, right)
    assert comp.explained_energy.sum() == pytest.approx(1)
    share = comp.singular_values[0] ** 2 / np.linalg.norm(left @ right.T) ** 2
    assert comp.explained_energy[0] == pytest.approx(share)


def test_a_model_learned_from_a_full_matrix_has_its_singular_values():
    generator = np.random.default_rng(4)
    matrix = generator.normal(size=(40, 3)) @ generator.normal(size=(3, 30))
    users, items = np.indices(matrix.shape).reshape(2, -1)
    model = FunkSVD(
        n_factors=3,
        biases=False,
        reg=0,
        learning_rate=0.05,
        learning_rate_decay=0.99,
        n_epochs=400,
        init_std=0.3,
        validation_fraction=0,
    ).fit(Ratings.from_arrays(users, items, matrix.ravel()))
    comp = model.to_svd()
    ref = scipy.linalg.svd(matrix, compute_uv=False)[:3]
    np.testing.assert_allclose(comp.singular_values, ref, rtol=1e-3)
    np.testing.assert_allclose(comp.reconstruct(), matrix, atol=0.02 * np.abs(matrix).max())
