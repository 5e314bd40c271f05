"""Groups and other metadata, on their way from `fit` to the splitter and the scorer.

The rules are those of scikit-learn's ``GridSearchCV``.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from sklearn import get_config
from sklearn.metrics import get_scorer, get_scorer_names
from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping, process_routing
from sklearn.utils.validation import _check_method_params, check_consistent_length


class Routed(NamedTuple):
    """What the splitter and the scorer are given beside the samples; arrays have a row a sample."""

    split: dict[str, Any]
    score: dict[str, Any]

    def score_at(self, X: Any, samples: np.ndarray) -> dict[str, Any]:
        """The scorer's part for some of the samples X."""
        return _check_method_params(X, self.score, indices=samples) if self.score else {}


class Router:
    """Mixin of the estimators with `cv` and `scoring`."""

    cv: Any
    scoring: Any

    def get_metadata_routing(self) -> MetadataRouter:
        """Return who is given what in `fit`: itself, the splitter `cv` and the scorer `scoring`.

        Returns
        -------
        MetadataRouter
            See scikit-learn's guide to metadata routing.
        """
        scoring = self.scoring
        if isinstance(scoring, str):
            scoring = get_scorer(scoring) if scoring in get_scorer_names() else None
        fit = MethodMapping().add(caller="fit", callee="score")
        router = MetadataRouter(owner=self).add_self_request(self).add(scorer=scoring, method_mapping=fit)
        return router.add(splitter=self.cv, method_mapping=MethodMapping().add(caller="fit", callee="split"))

    @property
    def _splits_samples(self) -> bool:
        """Whether `cv` is made of folds."""
        return True

    def _route(self, X: Any, sample_weight: Any, params: dict[str, Any]) -> Routed:
        """Share out what was given to `fit`; without metadata routing that is `groups` alone."""
        params = {name: value for name, value in params.items() if value is not None}
        if "groups" in params and not self._splits_samples:
            raise ValueError(
                f"groups are for the folds of a splitter, and cv={self.cv!r} leaves out single samples, "
                "whatever their group: give cv=sklearn.model_selection.LeaveOneGroupOut(), GroupKFold() or "
                "another splitter by groups."
            )
        if "groups" in params:
            check_consistent_length(X, params["groups"])
        if not get_config()["enable_metadata_routing"]:
            others = sorted(params.keys() - {"groups"})
            if others:
                raise TypeError(
                    f"{type(self).__name__}.fit() got an unexpected keyword argument {others[0]!r}; with "
                    "sklearn.set_config(enable_metadata_routing=True) it is routed to the scorer or splitter "
                    "that asks for it."
                )
            return Routed(_check_method_params(X, params), {})
        params = _check_method_params(X, params)
        if sample_weight is not None:
            params["sample_weight"] = sample_weight
        routed = process_routing(self, "fit", **params)
        score = dict(routed["scorer"]["score"])
        if score.get("sample_weight") is sample_weight:
            score.pop("sample_weight", None)  # the scorer is given the weights of the units
        return Routed(dict(routed["splitter"]["split"]), score)
