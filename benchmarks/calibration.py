"""Log-loss of the classifiers' probabilities against CalibratedClassifierCV(SVC()).

    python benchmarks/calibration.py [--folds 5] [--repeats 2]

digits, wine and breast_cancer, standardised, the same stratified folds for all: mean log-loss, mean
accuracy, and the mean difference of log-loss to the calibrated SVM with its standard error over the folds.
"""

from __future__ import annotations

import argparse

import numpy as np
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import load_breast_cancer, load_digits, load_wine
from sklearn.model_selection import RepeatedStratifiedKFold, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from ntklib.estimators import NTKClassifier, NTKClassifierCV

DATA = {"digits": load_digits, "wine": load_wine, "breast_cancer": load_breast_cancer}
MODELS = {
    "CalibratedClassifierCV(SVC())": lambda: CalibratedClassifierCV(SVC()),
    "NTKClassifier()": NTKClassifier,
    "NTKClassifierCV()": NTKClassifierCV,
    "NTKClassifierCV(scoring='neg_log_loss')": lambda: NTKClassifierCV(scoring="neg_log_loss"),
}


def main() -> None:
    """Print one table a data set."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--repeats", type=int, default=2)
    options = parser.parse_args()
    for name, load in DATA.items():
        X, y = load(return_X_y=True)
        cv = RepeatedStratifiedKFold(n_splits=options.folds, n_repeats=options.repeats, random_state=0)
        print(f"\n{name:42s} log-loss  accuracy  difference  (standard error)")
        reference = None
        for title, make in MODELS.items():
            scores = cross_validate(
                make_pipeline(StandardScaler(), make()), X, y, cv=cv, scoring=["neg_log_loss", "accuracy"]
            )
            losses = -scores["test_neg_log_loss"]
            reference = losses if reference is None else reference
            difference = losses - reference
            error = difference.std(ddof=1) / np.sqrt(len(difference))
            print(
                f"{title:42s} {losses.mean():8.4f}  {scores['test_accuracy'].mean():8.4f}  "
                f"{difference.mean():+10.4f}  ({error:.4f})",
                flush=True,
            )


if __name__ == "__main__":
    main()
