"""Evaluations as plain data."""

import json

from funksvd.evaluation import Evaluation
from funksvd.metrics import Errors, Interval


def test_an_evaluation_as_plain_data_is_json():
    evaluation = Evaluation(
        n_ratings=2,
        rmse=0.9,
        mae=0.7,
        rmse_interval=Interval(0.8, 1.0),
        mae_interval=Interval(0.6, 0.8),
        n_users=2,
        unknown_users=0.0,
        unknown_items=0.5,
        baselines={"global_mean": Errors(1.1, 0.9)},
    )
    assert json.loads(json.dumps(evaluation.to_dict())) == {
        "n_ratings": 2,
        "rmse": 0.9,
        "mae": 0.7,
        "rmse_interval": [0.8, 1.0],
        "mae_interval": [0.6, 0.8],
        "n_users": 2,
        "unknown_users": 0.0,
        "unknown_items": 0.5,
        "already_learned": None,
        "baselines": {"global_mean": {"rmse": 1.1, "mae": 0.9}},
    }
