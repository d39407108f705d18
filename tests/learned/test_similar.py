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
    indices, similarities = most_similar(None, rows, None, 3, 10)
    assert indices.tolist() == [0, 2, 1, 4]
    assert similarities.tolist() == [1, 1, 0, -1]
    assert most_similar(None, rows, None, 3, 2)[0].tolist() == [0, 2]


def test_cosines_of_ratings_count_by_the_ratings_that_both_have():
    rows = np.array([[1, 0], [2, 0], [3, 0], [-1, 0]], dtype=np.float32)
    indices, similarities = most_similar(None, rows, np.array([60, 20, 5, 1000]), 0, 3)
    assert indices.tolist() == [1, 2, 3]
    np.testing.assert_allclose(similarities, [20 / 40, 5 / 25, -60 / 80], rtol=1e-6)


def test_both_models_together_tell_what_is_similar():
    rating = np.array([[1, 0], [1, 0], [0, 1], [-1, 0]], dtype=np.float32)
    choice = np.array([[1, 0], [0, 1], [1, 0], [1, 0]], dtype=np.float32)
    counts = np.full(4, 20)
    indices, similarities = most_similar(choice, rating, counts, 0, 3)
    assert indices.tolist() == [2, 3, 1]
    np.testing.assert_allclose(similarities, [1 / 1.5, (1 - 0.25) / 1.5, 0.25 / 1.5], rtol=1e-6)
    assert most_similar(choice, None, counts, 0, 3)[1].tolist() == [1, 1, 0]


def test_what_is_like_a_row_without_ratings_is_judged_by_the_other_rows_ratings():
    """Another row that is nothing but the same features is not like it for sure."""
    rows = np.array([[1, 0], [1, 0], [1, 1], [-1, 0]], dtype=np.float32)
    counts = np.array([0, 0, 60, 20])
    for choice, rating in ((rows, rows), (rows, None), (None, rows)):
        indices, similarities = most_similar(choice, rating, counts, 0, 3)
        assert indices.tolist() == [2, 1, 3]
        np.testing.assert_allclose(similarities, [0.75 * np.sqrt(0.5), 0, -0.5], rtol=1e-6)
