"""Cosines of factors, and the rows that are most similar by them."""

import numpy as np

from funksvd.learned.similar import cosine_similarities, most_similar


def test_a_row_of_zeros_is_like_nothing():
    rows = np.array([[1.0, 2.0], [0.0, 0.0], [2.0, 4.0], [-1.0, -2.0]], dtype=np.float32)
    np.testing.assert_allclose(cosine_similarities(rows, 0), [1, 0, 1, -1], atol=1e-6)
    np.testing.assert_array_equal(cosine_similarities(rows, 1), 0)
    assert np.abs(cosine_similarities(rows, 0)).max() <= 1


def test_of_equally_similar_rows_the_lower_one_comes_first_and_the_row_itself_is_left_out():
    rows = np.array([[1, 0], [0, 1], [2, 0], [1, 0], [-1, 0]], dtype=np.float32)
    indices, similarities = most_similar(rows, 3, 10)
    assert indices.tolist() == [0, 2, 1, 4]
    assert similarities.tolist() == [1, 1, 0, -1]
    assert most_similar(rows, 3, 2)[0].tolist() == [0, 2]
