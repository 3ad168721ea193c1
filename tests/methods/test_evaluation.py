"""Figures of one domain, worked out by hand."""

import numpy as np
import pytest

from easymft.methods.evaluation import domain_figures, summarize


def test_figures_of_a_domain_whose_classes_are_not_alike_in_size():
    # Class 0: 3 of 4 found; class 1: 0 of 1; class 2 is neither there nor predicted.
    figures = domain_figures(np.array([0, 0, 0, 0, 1]), np.array([0, 0, 0, 1, 0]), 3)
    assert figures["accuracy"] == pytest.approx(3 / 5)
    assert figures["balanced_accuracy"] == pytest.approx((3 / 4 + 0) / 2)
    # F1 of class 0: precision and recall 3/4; of class 1: 0.
    assert figures["macro_f1"] == pytest.approx(3 / 8)
    assert figures["confusion"] == [[3, 1, 0], [1, 0, 0], [0, 0, 0]]


def test_a_class_that_is_only_predicted_counts_for_macro_f1_alone():
    figures = domain_figures(np.array([0, 0]), np.array([0, 2]), 3)
    assert figures["balanced_accuracy"] == pytest.approx(1 / 2)
    assert figures["macro_f1"] == pytest.approx((2 / 3 + 0) / 2)


def test_averages_are_over_domains_that_have_texts():
    one = domain_figures(np.array([0, 0, 1]), np.array([0, 0, 0]), 2)
    other = domain_figures(np.array([1]), np.array([1]), 2)
    none = domain_figures(np.array([], int), np.array([], int), 2)
    averages = summarize({"a": one, "b": other, "c": none})
    assert averages["average_accuracy"] == pytest.approx((2 / 3 + 1) / 2)
    assert averages["worst_domain_accuracy"] == pytest.approx(2 / 3)
    assert averages["average_balanced_accuracy"] == pytest.approx((1 / 2 + 1) / 2)
