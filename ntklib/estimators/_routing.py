"""Groups and other metadata, on their way from `fit` to the splitter and the scorer.

The rules are those of scikit-learn's ``GridSearchCV``.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from numpy.typing import NDArray
from sklearn import get_config
from sklearn.metrics import get_scorer, get_scorer_names
from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping, process_routing
from sklearn.utils.validation import _check_method_params, check_consistent_length


class Metadata(NamedTuple):
    """Arguments of the splitter and the scorer beside the samples X; arrays have a row a sample."""

    X: Any
    split: dict[str, Any]
    score: dict[str, Any]

    def score_at(self, samples: NDArray) -> dict[str, Any]:
        """Arguments of the scorer for some of the samples."""
        return _check_method_params(self.X, self.score, indices=samples) if self.score else {}


class RoutingMixin:
    """Mixin of the estimators with `cv` and `scoring`."""

    cv: Any
    scoring: Any

    def get_metadata_routing(self) -> MetadataRouter:
        """Return the routes of metadata in `fit`: to itself, the splitter `cv` and the scorer `scoring`.

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
        """True if `cv` is made of folds."""
        return True

    def _route(self, X: Any, sample_weight: Any, params: dict[str, Any]) -> Metadata:
        """Share out the further arguments of `fit`; without metadata routing that is `groups` alone."""
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
            return Metadata(X, _check_method_params(X, params), {})
        params = _check_method_params(X, params)
        if sample_weight is not None:
            params["sample_weight"] = sample_weight
        routed = process_routing(self, "fit", **params)
        score = dict(routed["scorer"]["score"])
        if score.get("sample_weight") is sample_weight:
            score.pop("sample_weight", None)  # the scorer is given the weights of the units
        return Metadata(X, dict(routed["splitter"]["split"]), score)
