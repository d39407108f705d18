"""`Calibration`: probabilities of ratings, by predictions."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import naive
from funksvd.learned.calibration import LEAST_SLOPE, Calibration, Checked

SCALE = (1.0, 5.0)
LEVELS = (2.0, 3.0, 4.0, 5.0)


def checked(n, halfway=(1.4, 2.4, 3.7, 4.6), seed=0, spread=0.7):
    """Predictions, and ratings by them: how many of these numbers a normal number is above."""
    random = np.random.default_rng(seed)
    predictions = np.clip(random.normal(3.5, 1, n), *SCALE).astype(np.float32)
    values = 1 + np.searchsorted(halfway, random.normal(predictions, spread))
    return Checked(predictions, values.astype(np.float32))


def test_without_ratings_to_check_by_errors_are_normal():
    calibration = Calibration.of(SCALE, LEVELS, True, 0.9)
    predictions = np.linspace(1, 5, 41, dtype=np.float32)
    for level in LEVELS:
        comp = calibration.probabilities(predictions, level)
        ref = [naive.liking(each, level - 0.5, 0.9) for each in predictions.tolist()]
        np.testing.assert_allclose(comp, ref, atol=1e-6)
    np.testing.assert_array_equal(calibration.probabilities(predictions, 1.0), 1)
    np.testing.assert_array_equal(
        calibration.probabilities(predictions, 3.2), calibration.probabilities(predictions, 4)
    )
    assert calibration.n_checked == 0


def test_planted_probabilities_are_found():
    """Which no single pair of numbers could be: the thresholds are not halfway."""
    calibration = Calibration.of(SCALE, LEVELS, True, 1.0, checked(200_000))
    for level, halfway in zip(LEVELS, (1.4, 2.4, 3.7, 4.6), strict=True):
        threshold, spread = calibration.threshold_and_spread(level)
        assert threshold == pytest.approx(halfway, abs=0.02)
        assert spread == pytest.approx(0.7, abs=0.02)
    other = checked(50_000, seed=1)
    for level in LEVELS:
        probabilities = calibration.probabilities(other.predictions, level)
        pairs = zip(probabilities.tolist(), (other.values >= level).tolist(), strict=True)
        assert naive.expected_calibration_error(list(pairs), 10) < 0.005
    assert calibration.n_checked == 200_000


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 30),
    st.integers(0, 2**32 - 1),
    st.sampled_from([1e-3, 0.1, 1.0, 4.0]),
    st.booleans(),
)
def test_higher_ratings_are_never_more_probable(n, seed, error, has_steps):
    random = np.random.default_rng(seed)
    drawn = Checked(
        random.uniform(1, 5, n).astype(np.float32), random.integers(1, 6, n).astype(np.float32)
    )
    calibration = Calibration.of(SCALE, LEVELS, has_steps, error, drawn)
    predictions = np.linspace(1, 5, 17, dtype=np.float32)
    asked = np.linspace(1, 5, 33)
    found = np.array([calibration.probabilities(predictions, each) for each in asked])
    assert (np.diff(found, axis=0) <= 1e-6).all()
    assert (np.diff(found, axis=1) >= 0).all()
    assert ((found >= 0) & (found <= 1)).all()
    again = Calibration.from_dict(json.loads(json.dumps(calibration.to_dict())))
    assert again == calibration


def test_predictions_that_tell_nothing_still_make_probabilities():
    predictions, values = checked(5000)
    wrong = Checked(6 - predictions, values)
    calibration = Calibration.of(SCALE, LEVELS, True, 1.0, wrong)
    _, spread = calibration.threshold_and_spread(4)
    assert spread == pytest.approx(1 / LEAST_SLOPE, rel=0.01)


def test_between_levels_and_beyond_them_a_scale_without_steps_has_no_jumps():
    calibration = Calibration.of((0.0, 5.0), (2.0, 4.0), False, 0.8)
    predictions = np.float32([1.0, 3.0])
    for asked in (0.5, 2.0, 2.9, 4.0, 4.9):
        comp = calibration.probabilities(predictions, asked)
        ref = [naive.liking(each, asked, 0.8) for each in predictions.tolist()]
        np.testing.assert_allclose(comp, ref, atol=1e-6)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"at_low": [0.0, float("nan"), -2.0, -3.0]}, "not finite"),
        ({"levels": [], "at_low": [], "at_high": []}, "no levels"),
        ({"low": 5.0}, "no levels"),
        ({"levels": [2.0, 4.0, 3.0, 5.0]}, "does not rise"),
        ({"at_high": [-9.0, -9.0, -9.0, -9.0]}, "does not rise"),
        ({"at_high": [5.0, 6.0, 5.0, 4.0]}, "more probable"),
    ],
)
def test_numbers_that_make_no_sense_are_refused(changed, message):
    plain = Calibration.of(SCALE, LEVELS, True, 0.9).to_dict()
    with pytest.raises(ValueError, match=message):
        Calibration.from_dict(plain | changed)
