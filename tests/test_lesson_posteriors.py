"""What lesson `posteriors` uses, against other ways to compute it."""

import keras
import numpy as np
import pytest
import scipy.special
import scipy.stats
import tensorflow as tf
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF
from sklearn.linear_model import Ridge
from sklearn.neighbors import NearestCentroid

from course_utils.lessons import posteriors as lesson
from course_utils.lessons.posteriors_digits import Classifier, Digits, update_normal


@pytest.fixture
def rng():
    return np.random.default_rng(3)


@pytest.fixture
def model(rng):
    """Three problems with two inputs; the last point of the second is left out."""
    x = rng.normal(size=(3, 6, 2)).astype("float32")
    counts = np.ones((3, 6), "float32")
    counts[1, 5] = 0
    y = rng.normal(size=(3, 6)).astype("float32")
    return lesson.Model(x, y, units=4, inner=1.5, outer=0.7, sigma=0.3, counts=counts)


def by_keras(model, w, x):
    """Output of one network (P,) at x (M, D)."""
    inputs, units = x.shape[-1], model.units
    W, b, v, c = np.split(w, np.cumsum([inputs * units, units, units]))
    net = keras.Sequential(
        [keras.Input((inputs,)), keras.layers.Dense(units, "tanh"), keras.layers.Dense(1)]
    )
    scaled = model.inner * W.reshape(inputs, units), model.inner * b
    net.set_weights([*scaled, model.outer * v[:, None], model.outer * c])
    return net(x).numpy()[:, 0]


def test_a_models_output_is_that_of_keras_for_every_draw_and_problem(model, rng):
    w = rng.normal(size=(5, *model.shape))
    f = model.f(w, model.x).numpy()
    assert f.shape == (5, 3, 6)
    for k, r in np.ndindex(5, 3):
        assert f[k, r] == pytest.approx(by_keras(model, w[k, r], model.x[r]), abs=1e-5)


def test_dropped_units_are_those_of_their_weights(model, rng):
    w = rng.normal(size=model.shape)
    keep = np.array([1.0, 0.0, 2.0, 1.0], "float32")
    changed = w.copy()
    changed[:, 12:16] *= keep  # the weights from the units to the output
    dropped = model.f(w, model.x, keep)
    assert dropped.numpy() == pytest.approx(model.f(changed, model.x).numpy(), abs=1e-5)


def test_the_log_joint_is_that_of_scipys_normals_up_to_a_constant(model, rng):
    w = rng.normal(size=(2, *model.shape))
    f = model.f(w, model.x).numpy()
    each = scipy.stats.norm.logpdf(model.y, f, model.sigma) * model.counts
    expected = each.sum(axis=-1) + scipy.stats.norm.logpdf(w).sum(axis=-1)
    found = model.log_joint(tf.constant(w, tf.float32)).numpy()
    assert found[1] - found[0] == pytest.approx(expected[1] - expected[0], abs=1e-3)


def test_slopes_agree_with_differences(model, rng):
    w = rng.normal(size=model.shape)
    J = lesson.jacobian(model, w, model.x)
    assert J.shape == (3, 6, 17)
    for p in (0, 9, 14, 16):
        step = np.zeros_like(w)
        step[:, p] = 1e-2
        up, down = (model.f(w + sign * step, model.x).numpy() for sign in (1, -1))
        assert J[..., p] == pytest.approx((up - down) / 2e-2, abs=2e-3)


def test_a_gradient_keeps_chains_apart():
    slope = lesson.gradient(lambda w: tf.reduce_sum(w**3, axis=-1))
    w = tf.constant([[[1.0, 2.0]], [[-1.0, 0.5]]])
    assert slope(w).numpy() == pytest.approx(3 * w.numpy() ** 2)


# --- problems -----------------------------------------------------------------------------------


def test_problems_with_few_points_see_the_first_of_the_others(rng):
    model = lesson.gap_problems(rng, drawn=3, numbers=(6, 40))
    assert model.shape == (5, 49) and model.counts.sum(axis=1).tolist() == [6, 40, 40, 40, 40]
    assert (model.x[0] == model.x[1]).all() and (model.y[0] == model.y[1]).all()
    assert (np.abs(model.x) > 0.8).all() and (np.abs(model.x) < 2).all()
    assert (model.x[:, :20] < 0).all() and (model.x[:, 20:] > 0).all()
    x = model.x[1, :, 0]
    assert (model.y[1] - np.sin(2 * x) - 0.3 * x).std() == pytest.approx(0.2, rel=0.4)
    assert [model.counts[0, :20].sum(), model.counts[0, 20:].sum()] == [3, 3]


def test_each_wine_trains_once_a_round_and_judges_the_others():
    model, x, y = lesson.wine_problems("alcohol", repeats=2, seed=1)
    assert model.x.shape == (8, 44, 12) and x.shape == (8, 134, 12) and y.shape == (8, 134)
    assert model.y.mean(axis=1) == pytest.approx(np.zeros(8), abs=1e-5)
    assert model.y.std(axis=1) == pytest.approx(np.ones(8), abs=1e-5)
    rows = [np.concatenate([model.x[r], x[r]]) for r in range(8)]
    assert all(len(np.unique(np.round(each, 4), axis=0)) == 178 for each in rows)


def test_the_straight_line_is_ridge_with_the_spread_of_its_posterior(model):
    alpha, x = 0.8, np.c_[model.x[0], np.ones(6)]
    values = lesson.straight_line(model, model.x, alpha)[:, 0]
    ridge = Ridge(alpha=3 * model.sigma**2 / alpha**2, fit_intercept=False).fit(x, model.y[0])
    assert values.mean(axis=0) == pytest.approx(ridge.predict(x), abs=1e-5)
    prior = alpha**2 / 3 * x @ x.T  # of the values, as a Gaussian process sees it
    shrunk = prior @ np.linalg.inv(prior + model.sigma**2 * np.eye(6)) @ prior
    assert values.var(axis=0) == pytest.approx(np.diag(prior - shrunk), rel=0.04)


def test_fixed_units_predict_as_the_process_of_their_features(model):
    values = lesson.fixed_units(model, model.x, 9, np.random.default_rng(5))[:, 1]
    x, y = np.c_[model.x[1], np.ones(6)], model.y[1]
    units = np.tanh(model.inner * x @ np.random.default_rng(5).normal(size=(3, 3, 9))[1])
    prior = model.outer**2 * (units @ units.T * 4 / 9 + 1)
    gain = prior[:, :5] @ np.linalg.inv(prior[:5, :5] + model.sigma**2 * np.eye(5))
    assert values.mean(axis=0) == pytest.approx(gain @ y[:5], abs=1e-4)
    assert values.var(axis=0) == pytest.approx(np.diag(prior - gain @ prior[:5]), rel=0.04)


# --- descents -----------------------------------------------------------------------------------


def test_a_descent_is_that_of_keras_optimiser_and_starts_afresh():
    target = tf.constant([1.0, -2.0, 3.0])
    descent = lesson.Descent(lambda w, seed, y: tf.reduce_sum((w[0] - y) ** 2, axis=-1), rate=0.1)
    found = descent([np.zeros((2, 3))], (1, 5, 400), np.float32(target))
    again = descent([np.zeros((2, 3))], (5,), np.float32(target))
    variable = keras.Variable(np.zeros((2, 3)), dtype="float32")
    adam = keras.optimizers.Adam(0.1)
    for _ in range(5):
        adam.apply([2 * (variable.value - target)], [variable])
    assert found[5][0] == pytest.approx(variable.numpy(), abs=1e-5)
    assert again[5][0] == pytest.approx(found[5][0], abs=1e-6)
    assert found[400][0] == pytest.approx(np.tile(target, (2, 1)), abs=1e-2)


def test_the_seed_of_a_loss_changes_at_every_step():
    seen = []

    def loss(w, seed):
        tf.py_function(lambda s: seen.append(tuple(s.numpy().tolist())), [seed], [])
        return w[0]

    lesson.Descent(loss, 0.1)([np.zeros(1)], (2, 3), seed=7)
    assert seen == [(7, 0), (7, 1), (7, 2)]


@pytest.mark.parametrize("steps", [(), (0, 3), (5, 5), (4, 2)])
def test_steps_that_do_not_rise_are_refused(steps):
    with pytest.raises(ValueError, match="must rise from at least 1"):
        lesson.Descent(lambda w, seed: w[0], 0.1)([np.zeros(1)], steps)


def test_a_descent_that_runs_away_says_when():
    with pytest.raises(ValueError, match=r"after 3 steps: a rate smaller than 0\.1"):
        lesson.Descent(lambda w, seed: tf.sqrt(w[0]), 0.1)([np.zeros(1)], (3,))


# --- densities and distances --------------------------------------------------------------------

GRID = np.linspace(-6, 6, 121)


def test_the_predictive_density_is_the_mixture_of_scipys_normals(rng):
    f = rng.normal(size=(40, 2, 3))
    density = lesson.predictive(f, 0.3, GRID)
    expected = scipy.stats.norm.pdf(GRID, f[..., None], 0.3).mean(axis=0)
    assert density == pytest.approx(expected, abs=0.02)
    assert density.sum(axis=-1) * 0.1 == pytest.approx(np.ones((2, 3)), abs=1e-6)


def test_total_variation_is_that_of_two_normals():
    p, q = (scipy.stats.norm.pdf(GRID, mean, 0.5) for mean in (-0.4, 0.4))
    exact = 2 * scipy.stats.norm.cdf(0.4 / 0.5) - 1
    assert lesson.total_variation(p, q, GRID) == pytest.approx(exact, abs=3e-3)
    assert lesson.total_variation(p, p, GRID) == 0
    far = lesson.miss(np.full((1, 2), -2.0), np.full((1, 2), 2.0), 0.2, GRID)
    assert far == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize(("f", "sigma"), [(np.zeros((3, 2)), 0.5), (np.zeros((3, 2, 2)), 0.05)])
def test_what_the_grid_cannot_show_is_refused(f, sigma):
    with pytest.raises(ValueError, match="expected are"):
        lesson.predictive(f, sigma, GRID)


def test_a_setting_is_chosen_by_practice_alone(model):
    exact = np.zeros((50, 3, 6))
    shift = np.array([0.0, 2.0, 2.0])[None, :, None] + exact  # right on the first problem only
    options = {"one": {"a": shift, "b": 1 + exact}, "other": {"c": exact}}
    held = lesson.hold_against(model, options, exact, slice(1), GRID)
    assert held["one"].setting == "a" and held["one"].far[0] == 0 and held["one"].far[1] > 0.9
    assert held["other"].far.tolist() == [0, 0, 0] and {*held["one"].every} == {"a", "b"}
    held = lesson.hold_against(model, options, exact, slice(1, 3), GRID)
    assert held["one"].setting == "b"


def test_draws_of_a_grid_have_its_mean(rng):
    axis = np.linspace(-4, 4, 81)
    grid = np.stack(np.meshgrid(axis, axis, indexing="ij"), axis=-1)
    density = scipy.stats.multivariate_normal([1, -0.5], [[0.3, 0.1], [0.1, 0.2]]).pdf(grid)
    draws = lesson.draws_of(grid, density, rng)
    assert draws.mean(axis=0) == pytest.approx([1, -0.5], abs=0.05)
    assert np.cov(draws.T) == pytest.approx(np.array([[0.3, 0.1], [0.1, 0.2]]), abs=0.03)


# --- the Gaussian process -----------------------------------------------------------------------


@pytest.mark.parametrize("units", [1, 5])
def test_the_kernel_is_the_covariance_of_drawn_networks(units, rng):
    x = np.array([-1.0, 0.2, 1.5])
    a, b, v = rng.normal(size=(3, 200_000, units))
    hidden = scipy.special.erf(1.3 * (a[..., None] * x + b[..., None]))
    f = (
        2
        / (units + 1) ** 0.5
        * ((hidden * v[..., None]).sum(axis=1) + rng.normal(size=(200_000, 1)))
    )
    kernel = lesson.Process(units, 1.3, x, x, 0.1).kernel(x, x)
    assert np.cov(f.T) == pytest.approx(kernel, abs=0.05)


def test_the_posterior_is_that_of_scikit_learn(rng):
    x, y, new = rng.normal(size=7), rng.normal(size=7), np.linspace(-2, 2, 5)
    process = lesson.Process(4, 1.3, x, y, 0.2)

    class Arcsine(RBF):
        def __call__(self, X, Y=None, eval_gradient=False):
            return process.kernel(X[:, 0], X[:, 0] if Y is None else Y[:, 0])

        def diag(self, X):
            return np.diag(self(X))

    reference = GaussianProcessRegressor(Arcsine(), alpha=0.04, optimizer=None)
    expected = reference.fit(x[:, None], y).predict(new[:, None], return_std=True)
    for ours, theirs in zip(process.posterior(new), expected, strict=True):
        assert ours == pytest.approx(theirs, abs=1e-8)


# --- digits -------------------------------------------------------------------------------------


def test_one_day_after_another_gives_ridge_on_all_days(rng):
    Phi, y = rng.normal(size=(9, 3)), rng.normal(size=9)
    mean, precision = np.zeros(3), 2 * np.eye(3)
    for rows in (slice(4), slice(4, 9)):
        mean, precision = update_normal(mean, precision, Phi[rows], y[rows], 0.5)
    ridge = Ridge(alpha=2 * 0.5**2, fit_intercept=False).fit(Phi, y)
    assert mean == pytest.approx(ridge.coef_, abs=1e-8)
    assert precision == pytest.approx(2 * np.eye(3) + Phi.T @ Phi / 0.25)


def test_the_fisher_diagonal_is_that_of_the_tape(rng):
    net = Classifier(5, 3, 4)
    w, x = net.start(rng, 2), rng.normal(size=(2, 6, 5)).astype("float32")
    w = w.astype("float32")
    mask = np.array([0, 0, 0, -1e9], "float32")
    found = net.fisher(w, x, np.zeros((2, 6), int), mask)
    assert found.shape == w.shape
    for s in range(2):
        v = tf.constant(w[[s]])
        with tf.GradientTape(persistent=True) as tape:
            tape.watch(v)
            logits = net.logits(v, x[[s]])[0] + mask
            each = tf.nn.log_softmax(logits)
        slopes = tape.jacobian(each, v).numpy()[:, :, 0]  # (6, 4, P)
        p = tf.nn.softmax(logits).numpy()
        expected = np.einsum("nc,ncp->p", p[:, :3], slopes[:, :3] ** 2)
        assert found[s] == pytest.approx(expected, rel=1e-3, abs=1e-5)


def test_the_log_likelihood_of_a_hundred_pictures_is_unbiased(rng):
    net = Classifier(5, 3, 2)
    w = net.start(rng, 2).astype("float32")
    x, y = rng.normal(size=(2, 250, 5)).astype("float32"), rng.integers(0, 2, (2, 250))
    mask = np.zeros(2, "float32")
    draws = [net.log_likelihood(w, [4, i], x, y, mask).numpy() for i in range(300)]
    log_p = tf.nn.log_softmax(net.logits(w, x)).numpy()
    exact = np.take_along_axis(log_p, y[..., None], axis=-1).sum(axis=(1, 2))
    se = np.std(draws, axis=0, ddof=1) / 300**0.5
    assert (np.abs(np.mean(draws, axis=0) - exact) < 4 * se).all()


@pytest.fixture(scope="module")
def odd():
    return Digits("odd", np.random.default_rng(1))


def test_sets_are_disjoint_and_tasks_hold_what_they_say(odd):
    tasks = list(odd.tasks(stored=3))
    assert [x.shape for x, _, _ in tasks] == [(5, 200 + 6 * t, 196) for t in range(5)]
    assert all(y[s].mean() == 0.5 for _, y, _ in tasks for s in range(5))
    x, _, mask = odd.all_at_once()
    pictures = np.unique(x.reshape(-1, 196), axis=0)
    assert x.shape == (5, 1_000, 196) and len(pictures) > 4_990 and mask.tolist() == [0, 0]
    new = {picture.tobytes() for picture in tasks[1][0][0]}
    old = {picture.tobytes() for picture in tasks[0][0][0]}
    assert len(new & old) == 6


def test_answers_are_judged_on_the_other_sets(odd):
    seen = {s: {picture.tobytes() for picture in odd.all_at_once()[0][s]} for s in range(5)}
    judged = []

    def always_odd(s, x):
        assert len({picture.tobytes() for picture in x} & seen[s]) < 5  # twins aside
        judged.append(len(x))
        return np.tile([0.0, 1.0], (len(x), 1))

    assert odd.accuracy(always_odd) == pytest.approx(np.full((5, 5), 0.5))
    assert set(judged) == {800}


def test_a_head_for_each_pair_leaves_the_other_outputs_out():
    pairs = Digits("pairs", np.random.default_rng(1))
    masks = [mask for _, _, mask in pairs.tasks()]
    assert [np.flatnonzero(mask == 0).tolist() for mask in masks] == [
        [2 * t, 2 * t + 1] for t in range(5)
    ]
    first = pairs.accuracy(lambda s, x: np.tile(-np.arange(10.0), (len(x), 1)))
    assert first == pytest.approx(np.full((5, 5), 0.5))  # always the even one of the pair
    with pytest.raises(ValueError, match="no pictures can be stored"):
        next(pairs.tasks(stored=1))


@pytest.mark.filterwarnings("ignore:self.within_class")
def test_class_means_are_scikit_learns_nearest_centroid():
    classes = Digits("classes", np.random.default_rng(1))
    x, y, _ = classes.all_at_once()
    centroid = [NearestCentroid().fit(*pair) for pair in zip(x, y, strict=True)]
    expected = classes.accuracy(lambda s, x: np.eye(10)[centroid[s].predict(x)])
    assert classes.class_means() == pytest.approx(expected, abs=1e-9)
