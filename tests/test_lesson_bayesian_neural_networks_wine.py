"""Rivals, scores and pictures of the lesson, against TFP, scikit-learn, Keras and loops."""

from types import SimpleNamespace

import keras
import matplotlib.pyplot as plt
import numpy as np
import pytest
from scipy.spatial.distance import mahalanobis
from scipy.special import log_softmax, softmax
from scipy.stats import entropy, norm
from sklearn.covariance import ledoit_wolf
from threadpoolctl import threadpool_info, threadpool_limits

from course_utils import metrics, regression, training
from course_utils.lessons import bayesian_neural_networks_wine as lesson

# Layers


def test_one_value_per_weight_is_keras_dense_with_an_l2_penalty():
    x = np.random.default_rng(0).normal(size=(2, 5, 3)).astype("float32")  # 2 batches of 5 rows
    layer = lesson.DensePoint(4, "tanh", prior_sigma=0.6, kl_weight=0.1)
    output = layer(x)
    l2 = keras.regularizers.L2(0.1 * 4 / (2 * 0.6**2))  # 4 is 3 inputs and the constant
    dense = keras.layers.Dense(4, "tanh", kernel_regularizer=l2, bias_regularizer=l2)
    dense.build(x.shape)
    dense.set_weights([layer.w[:3], layer.w[3]])
    np.testing.assert_allclose(output, dense(x), rtol=1e-5)
    assert float(layer.losses[0]) == pytest.approx(float(sum(dense.losses)), rel=1e-5)
    assert [w.name for w in layer.trainable_weights] == ["w"]


def test_the_noise_stands_beside_the_mean():
    mean = np.arange(6, dtype="float32").reshape(2, 3, 1)
    learned, fixed = lesson.Noise(0.5), lesson.Noise(2.0, trainable=False)
    model = lesson.Network(keras.layers.Rescaling(3), learned)
    np.testing.assert_allclose(model(mean), np.insert(3 * mean, 1, np.log(0.5), axis=-1), rtol=1e-6)
    np.testing.assert_allclose(fixed(mean)[..., 1], np.log(2.0), rtol=1e-6)
    assert len(learned.trainable_weights) == 1 and not fixed.trainable_weights


# Scores


def test_rows_that_judge_are_scored_fold_by_fold():
    rng = np.random.default_rng(1)
    output, y = rng.normal(size=(2, 7, 5, 2)), rng.normal(size=(2, 5, 1))
    judge = np.array([[True, False, True, True, False], [False, True, True, True, True]])
    found = lesson.scores(output, y, judge, levels=(0.3, 0.9))
    assert found.shape == (3, 2, 5) and np.isnan(found[:, ~judge]).all()
    for f, i in np.argwhere(judge):
        mu, sigma = output[f, :, i, 0], np.exp(output[f, :, i, 1])
        nll = -np.log(np.mean(norm.pdf(y[f, i], mu, sigma)))
        ends = [metrics.mixture_interval(mu[:, None], sigma[:, None], p) for p in (0.3, 0.9)]
        held = [bool(low <= y[f, i] <= high) for low, high in ends]
        np.testing.assert_allclose(found[:, f, i], [nll, *held])


def test_the_elbo_is_fit_less_tfps_divergence():
    import tensorflow_probability as tfp

    rng = np.random.default_rng(2)
    layers = [rng.normal(size=(2, 4, 3)), rng.normal(size=(2, 4, 3))]  # m and rho of 3 inputs
    layers += [rng.normal(size=(2, 4, 1)), rng.normal(size=(2, 4, 1))]
    output, y = rng.normal(size=(2, 6, 5, 2)), rng.normal(size=(2, 5, 1))
    networks = SimpleNamespace(weights=[*layers, np.zeros(2)], draws=lambda x, k: output[:, :k])
    price = 0
    for m, rho in (layers[:2], layers[2:]):
        q = tfp.distributions.Normal(m, np.log1p(np.exp(rho)))
        kl = q.kl_divergence(tfp.distributions.Normal(np.zeros(()), 0.7 / 2))
        price += kl.numpy().sum(axis=(1, 2))
    normals = tfp.distributions.Normal(output[..., 0], np.exp(output[..., 1]))
    fit = normals.log_prob(y[:, None, :, 0]).numpy().sum(axis=2).mean(axis=1)
    np.testing.assert_allclose(lesson.elbo(networks, None, y, 0.7, 6), fit - price)


def test_a_classifiers_loss_and_score_are_minus_the_log_of_its_probability():
    rng = np.random.default_rng(3)
    y, logits = np.array([[0], [2], [1]]), rng.normal(size=(4, 3, 3))
    log_p = log_softmax(logits, axis=-1)[:, [0, 1, 2], y[:, 0]]
    np.testing.assert_allclose(lesson.cross_entropy(y, logits[0]), -log_p[0], rtol=1e-5)
    np.testing.assert_allclose(lesson.class_score(y, logits), -np.log(np.exp(log_p).mean(axis=0)))


# The contest


def test_a_line_is_judged_as_networks_are():
    rng = np.random.default_rng(8)
    x, y = rng.normal(size=(2, 9, 2)), rng.normal(size=(2, 9, 1))
    train = np.array([[0, 3, 4, 8], [7, 1, 2, 0]])
    judge = ~np.array([np.isin(np.arange(9), rows) for rows in train])
    output = []  # mean and log sigma by hand, with noise 0.6 and prior 1.5
    for inputs, aim, rows in zip(x, y[..., 0], train, strict=True):
        phi = np.insert(inputs, 2, 1, axis=1)
        covariance = np.linalg.inv(phi[rows].T @ phi[rows] / 0.6**2 + np.eye(3) * 3 / 1.5**2)
        mean = phi @ covariance @ phi[rows].T @ aim[rows] / 0.6**2
        variance = np.diag(phi @ covariance @ phi.T) + 0.6**2
        output.append([np.stack([mean, np.log(variance) / 2], axis=-1)])
    found = lesson.line_scores(x, y, train, judge, [0.6], [1.5])
    np.testing.assert_allclose(found, lesson.scores(np.array(output), y, judge))


def by_each_method(x, phis, y, seen, *grid) -> dict[str, np.ndarray]:
    """NLL, and probability of less than the truth, at all rows."""
    n, one, mixture = len(seen), regression.one_answer, regression.mixture
    found = {"trees": one(y, *regression.trees(x, y, seen), n)}
    for model, kinds in (("line", [np.insert(x, 2, 1, axis=1)]), ("network", phis)):
        fits = regression.posteriors(kinds, y, seen, *grid)
        mean, best, weights = fits.mean, fits.evidence.argmax(), softmax(fits.evidence)
        of_exact, of_even, sigma = regression.left_out(kinds, y, seen, *grid)
        exact, even = (np.sqrt(v + fits.sigma**2) for v in (fits.exact, fits.independent))
        found |= {
            f"{model}, one answer": one(y, *regression.ridge(kinds, y, seen), n),
            f"{model}, one answer, one setting": one(y, mean[best], sigma[best], n),
            f"{model}, one answer, all settings": one(y, mean, sigma, n, weights),
            f"{model}, one answer, by own CV": one(y, mean, sigma, n, sigma**-n / sum(sigma**-n)),
            f"{model}, independent": mixture(y, weights, mean, even),
            f"{model}, independent, by ELBO": mixture(y, softmax(fits.elbo), mean, even),
            f"{model}, independent, by own CV": mixture(y, softmax(of_even), mean, even),
            f"{model}, exact": mixture(y, weights, mean, exact),
            f"{model}, exact, by own CV": mixture(y, softmax(of_exact), mean, exact),
            f"{model}, exact, one setting": mixture(y, [1], mean[[best]], exact[[best]]),
        }
    return found


def test_the_contest_scores_every_method_in_units_of_the_target():
    rng, grid = np.random.default_rng(9), ([0.3, 1.0], [1.0, 3.0])
    table = rng.normal([5, 0, -2], [3, 1, 20], size=(25, 3))
    sets = np.stack([rng.permutation(25)[:11] for _ in range(2)])
    judge = ~np.array([np.isin(np.arange(25), rows) for rows in sets])

    def features(x, seed):
        return [np.cos(seed * x), np.sin(x)]

    nll, held = lesson.contest(table, sets, judge, features, *grid, seed=4)
    for target, number in np.ndindex(3, 2):
        rows, seen, aim = judge[number], sets[number], table[:, target]
        unit, others = aim[seen].std(), np.delete(table, target, axis=1)
        x = (others - others[seen].mean(axis=0)) / others[seen].std(axis=0)
        y = (aim - aim[seen].mean()) / unit
        expected = by_each_method(x, features(x, 4 + number), y, seen, *grid)
        assert set(expected) == set(nll) == set(held)
        for name, values in expected.items():
            loss, below = values[:, rows]
            given, inside = nll[name][target, number], held[name][target, number]
            np.testing.assert_allclose(given[rows], loss + np.log(unit / aim.std()))
            np.testing.assert_array_equal(inside[rows], (below > 0.25) & (below < 0.75))
            assert np.isnan([given[~rows], inside[~rows]]).all()


# Wine Quality


@pytest.fixture(scope="module")
def quality():
    """Rivals fitted to 600 rows, 5,000 others, and the threads of each fit of boosted trees."""
    rng, threads = np.random.default_rng(4), []
    x = rng.normal(size=(5_600, 4))
    y = 2 * x[:, 0] + np.abs(x[:, 1]) + rng.normal(size=5_600)

    class Recorded(lesson.HistGradientBoostingRegressor):
        def fit(self, x, y):
            threads.extend(p["num_threads"] for p in threadpool_info() if p["user_api"] == "openmp")
            return super().fit(x, y)

    with pytest.MonkeyPatch.context() as patch, threadpool_limits(2, "openmp"):
        patch.setattr(lesson, "HistGradientBoostingRegressor", Recorded)
        return lesson.quality_rivals(x[:600], y[:600]), x, y, threads


RIVALS = [("mean", 1.05), ("line, exact", 0.3), ("forest", 0.3), ("boosted trees", 0.3)]


@pytest.mark.parametrize(("name", "share"), RIVALS)
def test_what_a_rival_promises_holds_on_rows_that_it_never_saw(quality, name, share):
    rivals, x, y, _ = quality
    mean, sd = rivals[name](x[600:])
    errors = y[600:] - mean[0]
    assert mean.shape == (1, 5_000) and np.mean(errors**2) < share * np.var(y)
    assert 0.85 < np.mean((errors / sd) ** 2) < 1.15


def test_boosted_trees_use_one_thread(quality):
    assert set(quality[-1]) == {1}


# The unseen cultivar


def test_each_cultivar_is_the_unseen_one_and_nothing_is_shared():
    cultivar = np.random.default_rng(5).permutation(np.repeat([0, 1, 2], [30, 40, 25]))
    tasks = lesson.unseen_tasks(cultivar, repeats=2, seed=1)
    for task, (train, known, new, label) in enumerate(zip(*tasks, strict=True)):
        unseen = task // 2
        assert np.array_equal(new, cultivar == unseen)
        assert len(set(train)) == 48 and not (known & new).any() and not (known | new)[train].any()
        assert known.sum() + new.sum() + 48 == 95
        for value, its in enumerate(sorted({0, 1, 2} - {unseen})):
            assert (cultivar[train] == its).sum() == 24
            assert (label[cultivar == its] == value).all()
        assert len(set(label[train[:12]])) == 2  # in random order: `tune` takes every fourth
    assert set(tasks.train[0]) != set(tasks.train[1])
    assert np.array_equal(tasks.train, lesson.unseen_tasks(cultivar, 2, 1).train)


def test_mahalanobis_is_the_distance_to_the_nearest_of_the_class_means():
    rng = np.random.default_rng(6)
    label = np.repeat([0, 1], 20)
    x = rng.normal(size=(40, 3)) @ rng.normal(size=(3, 3)) + 4 * label[:, None]
    seen = rng.permutation(40)[:30]
    parts = [x[seen[label[seen] == c]] for c in (0, 1)]
    within = np.concatenate([part - part.mean(axis=0) for part in parts])
    inverse = np.linalg.inv(ledoit_wolf(within, assume_centered=True)[0])
    expected = [min(mahalanobis(row, p.mean(axis=0), inverse) for p in parts) ** 2 for row in x]
    label[np.setdiff1d(np.arange(40), seen)] = 9  # classes of other rows must not be used
    np.testing.assert_allclose(lesson.mahalanobis(x, seen, label), expected)


@pytest.mark.parametrize("n", [3, 10, 19, 64, 110])
def test_the_threshold_calls_at_least_nine_in_ten_and_no_more_than_needed(n):
    known, new = np.random.default_rng(n).permutation(n), np.arange(-10, 10 * n) / 10
    threshold = sorted(known)[-(-9 * n // 10) - 1]
    assert lesson.called(known, new) == np.mean(new <= threshold)


class HalfBlind(keras.layers.Layer):
    """Every second of ten draws knows nothing."""

    def call(self, x):
        return x if len(x.shape) == 2 else x * np.tile([[[0.0]], [[1.0]]], (5, 1, 1))


def test_doubt_is_that_of_a_network_with_the_better_prior():
    rng = np.random.default_rng(7)
    label = np.tile(np.arange(40) % 2, (2, 1))
    x = (rng.normal(size=(2, 40, 2)) + 3 * label[..., None]).astype("float32")
    train = np.stack([rng.permutation(40)[:24] for _ in range(2)])
    tasks = lesson.Tasks(train, None, None, label)
    models = []
    for seed in range(2):
        keras.utils.set_random_seed(seed)
        model = lesson.Network(lesson.DensePoint(2, None, 2.0, 1 / 24), HalfBlind())
        model(x[0])
        model.compile(keras.optimizers.Adam(0.02), loss=lesson.cross_entropy)
        models.append(model)
    doubts = lesson.doubts(models, x, tasks, np.array([0.01, 2.0]), k=10)
    for task, (model, doubt, spread) in enumerate(zip(models, *doubts, strict=True)):
        rows = train[task]
        training.fit(model, x[task, rows], label[task, rows, None], epochs=300)
        logits = model(x[task]).numpy()
        p = (softmax(logits, axis=-1) + 0.5) / 2
        np.testing.assert_allclose(doubt, entropy(p, axis=1), atol=1e-4)
        np.testing.assert_allclose(spread, abs(logits[:, 0] - logits[:, 1]) / 2, atol=1e-3)


# Pictures


def test_bands_hold_95_percent_of_functions_and_of_predictions(ax):
    x, mean = np.array([1.0, 2.0, 3.0]), np.array([12.0, 13.0, 12.5])
    function, total = np.array([0.1, 0.2, 0.3]), np.array([0.5, 0.6, 0.7])
    panels = {"first": (mean, function, total, [mean + 1, mean + 2])}
    panels["second"] = mean, 0 * total, total, [mean]
    figure = lesson.bands(x, panels, ([1, 2], [11, 12]), ([3], [13]))
    left, right = figure.axes
    assert (left.get_title(), right.get_title()) == ("first", "second")
    for band, sd in zip(left.collections, (total, function), strict=True):
        edges = np.ravel(norm.interval(0.95, mean, sd)).round(9)
        outline = band.get_paths()[0].vertices.round(9)
        assert set(zip(np.tile(x, 2), edges, strict=True)) == {tuple(point) for point in outline}
    drawn = [line.get_ydata().tolist() for line in left.lines]
    assert drawn == [*np.add(mean, [[1], [2], [0]]).tolist(), [13], [11, 12]]
    plt.close(figure)


def test_repeats_are_thin_and_their_mean_is_thick(ax):
    lines = np.array([[1.0, 2.0, 3.0], [3.0, 6.0, 5.0]])
    lesson.many_lines(ax, [0, 1, 2], lines, "C3", "exact")
    *thin, thick = ax.lines
    np.testing.assert_array_equal([line.get_ydata() for line in thin], lines)
    np.testing.assert_array_equal(thick.get_ydata(), [2, 4, 4])
    assert thick.get_linewidth() > 2 > thin[0].get_linewidth() and thick.get_label() == "exact"
    assert {line.get_color() for line in ax.lines} == {"C3"}


def test_each_method_has_its_dots_and_their_mean_beside_its_name(ax):
    lesson.dots({"forest": [1.0, 3.0], "line": [-1.0]}, "NLL behind")
    ax = plt.gca()
    assert [text.get_text() for text in ax.get_yticklabels()] == ["line", "forest"]  # from below
    shown = [(*line.get_xdata(), *set(line.get_ydata())) for line in ax.lines[:4]]
    assert shown == [(-1, 0), (-1, 0), (1, 3, 1), (2, 1)]
    plt.close()


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
