import numpy as np
import pytest


@pytest.fixture
def ratings(planted):
    return planted(60, 50, 2, 1500, 0.3)


@pytest.fixture
def held_back(ratings):
    return np.random.default_rng(5).random(len(ratings)) < 0.2
