"""Evaluations as plain data."""

import json

from funksvd.evaluation import Evaluation
from funksvd.metrics import Errors, Interval, Reliability, ReliabilityGroup


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
        liked_from=4.0,
        liked=Reliability(0.5, 0.6, 0.7, 0.1, (ReliabilityGroup(0.4, 0.5, 2),)),
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
        "liked_from": 4.0,
        "liked": {
            "share": 0.5,
            "log_loss": 0.6,
            "log_loss_of_share": 0.7,
            "calibration_error": 0.1,
            "groups": [{"probability": 0.4, "share": 0.5, "n": 2}],
        },
    }
