"""Quality of probabilities, against formulas written out."""

import math

import numpy as np
import pytest

import naive
from funksvd.metrics import Reliability


def test_reliability_is_what_it_says():
    random = np.random.default_rng(0)
    probabilities = random.random(1007).astype(np.float32)
    came_true = random.random(1007) < probabilities**2
    comp = Reliability.of(probabilities, came_true)
    pairs = list(zip(probabilities.tolist(), came_true.tolist(), strict=True))
    ref = -sum(math.log(p if true else 1 - p) for p, true in pairs) / 1007
    assert comp.log_loss == pytest.approx(ref, rel=1e-6)
    share = came_true.mean()
    ref = -share * math.log(share) - (1 - share) * math.log(1 - share)
    assert comp.share == share
    assert comp.log_loss_of_share == pytest.approx(ref)
    assert comp.calibration_error == pytest.approx(
        naive.expected_calibration_error(pairs, 10), abs=2e-3  # groups differ by a case
    )  # fmt: skip
    assert sum(group.n for group in comp.groups) == 1007
    assert [group.probability for group in comp.groups] == sorted(
        group.probability for group in comp.groups
    )
    lowest = sorted(pairs)[:101]
    assert comp.groups[0] == pytest.approx((*np.mean(lowest, axis=0), 101), rel=1e-6)


def test_certainty_that_is_right_and_one_that_is_wrong():
    zeros = np.zeros(4, np.float32)
    right = Reliability.of(zeros, zeros > 1)
    assert right.log_loss == pytest.approx(0, abs=1e-6)
    assert (right.log_loss_of_share, right.calibration_error, len(right.groups)) == (0, 0, 4)
    wrong = Reliability.of(zeros, zeros < 1)
    assert 10 < wrong.log_loss < 20
    assert wrong.calibration_error == 1
