"""What lesson `bayesian_neural_networks_wine` draws."""

import matplotlib
import numpy as np
import pytest

from course_utils import metrics
from course_utils.lessons import bayesian_neural_networks_wine as lesson


def test_the_band_is_the_central_interval_and_the_line_the_mean(ax):
    rng = np.random.default_rng(0)
    x = np.linspace(-1, 1, 9)
    mu, sigma = rng.normal(size=(4, 9)), rng.uniform(0.5, 2, size=(4, 9))
    lesson.predictive_band(ax, x, mu, sigma, level=0.8, color="C2", label="network")

    (line,) = ax.lines
    np.testing.assert_allclose(line.get_xydata(), np.stack([x, mu.mean(axis=0)], axis=1))
    assert (line.get_label(), line.get_color()) == ("network", "C2")

    (band,) = ax.collections
    outline = {tuple(p) for p in band.get_paths()[0].vertices.round(9)}
    lower, upper = metrics.mixture_interval(mu, sigma, 0.8)
    edges = [*zip(x, lower, strict=True), *zip(x, upper, strict=True)]
    assert outline == {tuple(p) for p in np.round(edges, 9)}
    assert matplotlib.colors.same_color(band.get_facecolor()[0, :3], "C2")


def points_and_bars(ax) -> tuple[np.ndarray, np.ndarray]:
    """Return a reliability diagram's points, (bins, 2), and the ends of its bars, (bins, 2)."""
    points = [line.get_xydata()[0] for line in ax.lines if line.get_marker() == "o"]
    bars = [line.get_ydata() for line in ax.lines if line.get_linewidth() == 9]
    return np.array(points), np.array(bars)


@pytest.mark.parametrize("bins", [4, 8])
def test_reliability_points_are_accuracy_over_confidence(ax, bins):
    confidence = np.linspace(0.05, 0.95, 240)  # in order: bins are slices
    correct = np.random.default_rng(0).random(240) < confidence
    order = np.random.default_rng(1).permutation(240)
    lesson.reliability_diagram(ax, confidence[order], correct[order], bins, "C1", "network")
    points, _ = points_and_bars(ax)
    expected = [
        (confidence[i : i + 240 // bins].mean(), correct[i : i + 240 // bins].mean())
        for i in range(0, 240, 240 // bins)
    ]
    np.testing.assert_allclose(points, expected)
    handles, labels = ax.get_legend_handles_labels()
    assert labels == ["network"] and handles[0].get_color() == "C1"


def test_reliability_points_show_what_the_calibration_error_sums_up(ax):
    rng = np.random.default_rng(0)
    confidence = rng.choice([0.6, 0.7], size=400)  # ties: both must break them alike
    correct = rng.random(400) < 0.65
    lesson.reliability_diagram(ax, confidence, correct)
    points, _ = points_and_bars(ax)
    error = metrics.expected_calibration_error(confidence, correct)
    assert abs(points[:, 0] - points[:, 1]).mean() == pytest.approx(error)


def test_reliability_bars_hold_95_percent_of_a_calibrated_classifier(ax):
    rng = np.random.default_rng(0)
    confidence = rng.uniform(0.3, 1.0, size=400)
    lesson.reliability_diagram(ax, confidence, rng.random(400) < confidence)
    points, bars = points_and_bars(ax)
    assert ((bars[:, 0] <= points[:, 0]) & (points[:, 0] <= bars[:, 1])).all()  # the diagonal

    rows = np.argsort(confidence).reshape(8, 50)
    shares = (rng.random((4000, 8, 50)) < confidence[rows]).mean(axis=2)
    inside = ((bars[:, 0] <= shares) & (shares <= bars[:, 1])).mean()
    assert 0.94 < inside < 0.99  # above 0.95: a share of 50 examples moves in steps of 0.02


def test_reliability_of_a_sure_and_wrong_classifier_lies_below_its_bars(ax):
    confidence = np.random.default_rng(0).uniform(0.8, 0.99, size=400)
    lesson.reliability_diagram(ax, confidence, np.zeros(400, bool))
    points, bars = points_and_bars(ax)
    assert (points[:, 1] < bars[:, 0]).all()


def test_reliability_of_few_examples_leaves_no_empty_bins(ax, recwarn):
    lesson.reliability_diagram(ax, [0.5, 0.9, 0.7], [True, True, False], bins=8)
    points, _ = points_and_bars(ax)
    np.testing.assert_allclose(points, [[0.5, 1], [0.7, 0], [0.9, 1]])
    assert not recwarn.list


def test_reliability_needs_one_confidence_per_answer(ax):
    with pytest.raises(ValueError, match=r"both need the same shape \(N,\)"):
        lesson.reliability_diagram(ax, np.full((3, 2), 0.5), [True] * 3)
