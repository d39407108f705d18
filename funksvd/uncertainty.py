"""`Uncertain`: how sure predictions are, of models that are the mean of draws."""

from __future__ import annotations

from typing import Any

import numpy as np

from funksvd.errors import FunkSVDError
from funksvd.learned.scoring import predict_deviations
from funksvd.recommender import Recommender


class Uncertain(Recommender):
    """What can be asked about predictions themselves."""

    def predict_std(self, users: Any, items: Any = None) -> np.ndarray | float:
        """Standard deviations: how sure predictions are, in rating units.

        They are of the noise-free rating mu + b_u + b_i + p_u . q_i, given all ratings learned
        from: nine times out of ten it is within 1.645 of them of the prediction.

        Parameters
        ----------
        users, items
            As for `predict`. An id that the model does not know could be any of the known ones.

        Returns
        -------
        ndarray of shape (n,), float32; or float
            A float for one user and one item.

        Raises
        ------
        FunkSVDError
            If the algorithm was another one than bayes and bayes++.
        """
        user_index, item_index, single = self._find_pairs(users, items)
        deviations = self.predict_std_index(user_index, item_index)
        return float(deviations[0]) if single else deviations

    def predict_std_index(self, user_index: np.ndarray, item_index: np.ndarray) -> np.ndarray:
        """`predict_std` by index."""
        if self.draws is None:
            raise FunkSVDError(
                f"the model ({self.title}) does not know how sure its predictions are; train one "
                "that does with algorithm bayes or bayes++ (--algorithm bayes)"
            )
        return predict_deviations(
            self.parameters, self.draws, user_index, item_index, n_threads=self.thread_count()
        )
