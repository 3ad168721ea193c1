"""scikit-learn's own checks of estimators.

They feed numbers. `MFTClassifier` takes texts, so the checks that reach its data run on a subclass
that spells numbers as texts through public methods alone; the others run on the class itself.
"""

import numpy as np
import pytest

pytest.importorskip("sklearn", minversion="1.8", reason="checks cannot be expected to fail")

from sklearn.utils.estimator_checks import parametrize_with_checks
from sklearn.utils.validation import check_is_fitted, validate_data

from easymft import MFTClassifier

LETTERS = "abcdefghijklmnopqrstuvwxyz"


class OnNumbers(MFTClassifier):
    """Reads each row of numbers as a text of letters, one for each number."""

    def fit(self, X, y):  # noqa: N803
        X, y = validate_data(self, X, y)  # noqa: N806
        return super().fit(_spelt(X), y)

    def predict_proba(self, X):  # noqa: N803
        check_is_fitted(self)
        return super().predict_proba(_spelt(validate_data(self, X, reset=False)))

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.string = tags.input_tags.one_d_array = False
        tags.classifier_tags.poor_score = True  # a random encoder of width 8 and one epoch
        return tags


def _spelt(X):  # noqa: N803
    places = np.clip(X * 2 + len(LETTERS) // 2, 0, len(LETTERS) - 1).astype(int)
    return [" ".join(LETTERS[place] for place in row) for row in places]


NUMBERS = {
    f"check_{name}": "gives numbers, and the class takes texts"
    for name in (
        *("classifier_data_not_an_array", "classifiers_classes", "classifiers_train"),
        *("dict_unchanged", "dont_overwrite_parameters", "dtype_object", "estimators_dtypes"),
        *("estimators_fit_returns_self", "estimators_nan_inf", "estimators_overwrite_params"),
        *("estimators_pickle", "f_contiguous_array_estimator", "fit2d_1feature"),
        *("fit2d_1sample", "fit2d_predict1d", "fit_check_is_fitted", "fit_idempotent"),
        *("fit_score_takes_y", "methods_sample_order_invariance", "methods_subset_invariance"),
        *("n_features_in", "n_features_in_after_fitting", "pipeline_consistency"),
        *("positive_only_tag_during_fit", "readonly_memmap_input", "supervised_y_2d"),
    )
}
OTHERS = {
    "check_estimators_empty_data_messages": "wants the words of `check_array`",
    "check_estimator_sparse_array": "makes a flat sparse array, which SciPy refuses to convert",
}
SMALL = {"max_length": 8, "epochs": 1, "batch_size": 256, "settings": {"precision": "float32"}}


@parametrize_with_checks(
    [MFTClassifier(**SMALL)],
    expected_failed_checks=lambda _: {**NUMBERS, **OTHERS},
    xfail_strict=True,
)
def test_the_class_itself(estimator, check, preset):
    check(estimator.set_params(preset=preset))


@pytest.mark.slow
@parametrize_with_checks([OnNumbers(**SMALL)])
def test_all_that_needs_data(estimator, check, preset):
    check(estimator.set_params(preset=preset))
