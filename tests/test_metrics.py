"""Every score against another way to compute it: SciPy, TFP, scikit-learn, or drawing at random."""

import numpy as np
import pytest
import tensorflow_probability as tfp
from scipy import stats
from scipy.special import softmax
from sklearn.calibration import calibration_curve
from sklearn.metrics import log_loss, root_mean_squared_error

from course_utils import metrics

K, N, C = 5, 7, 3
DRAWS = 100_000
rng = np.random.default_rng(0)
mu = rng.normal(size=(K, N))
sigma = rng.uniform(0.2, 2.0, size=(K, N))
y = rng.normal(size=N)
probabilities = rng.dirichlet(np.ones(C), size=(K, N))


def mixture(mu=mu, sigma=sigma):
    tfd = tfp.distributions
    return tfd.MixtureSameFamily(
        tfd.Categorical(probs=np.full(len(mu), 1 / len(mu))), tfd.Normal(mu.T, sigma.T)
    )


def draw() -> np.ndarray:
    """Draw from the mixtures of K normal distributions, as an array of shape (DRAWS, N)."""
    rng = np.random.default_rng(1)
    chosen = rng.integers(K, size=(DRAWS, N))
    return rng.normal(mu[chosen, np.arange(N)], sigma[chosen, np.arange(N)])


def test_nll_is_the_mixture_s():
    reference = -mixture().log_prob(y).numpy()
    np.testing.assert_allclose(metrics.gaussian_nll(y, mu, sigma), reference)
    np.testing.assert_allclose(metrics.mixture_nll(stats.norm.logpdf(y, mu, sigma)), reference)


def test_nll_of_one_sigma_for_all():
    reference = -mixture(sigma=np.full((K, N), 0.7)).log_prob(y).numpy()
    np.testing.assert_allclose(metrics.gaussian_nll(y, mu, 0.7), reference)


def test_nll_of_k_equal_samples_is_that_of_one():
    one = -stats.norm.logpdf(y, mu[0], sigma[0])
    same = np.tile(mu[0], (K, 1)), np.tile(sigma[0], (K, 1))
    np.testing.assert_allclose(metrics.gaussian_nll(y, *same), one)


def test_nll_is_not_the_mean_of_the_samples_own():
    own = -stats.norm.logpdf(y, mu, sigma).mean(axis=0)
    assert (metrics.gaussian_nll(y, mu, sigma) < own).all()  # Jensen's inequality


def test_nll_does_not_underflow():
    np.testing.assert_allclose(metrics.mixture_nll([[-2000.0], [-2000.0]]), [2000.0])
    np.testing.assert_allclose(metrics.mixture_nll([[-np.inf], [0.0]]), [np.log(2)])


def test_rmse_is_that_of_the_predictive_mean():
    assert metrics.rmse(y, mu) == pytest.approx(root_mean_squared_error(y, mu.mean(axis=0)))
    assert metrics.rmse([1.0, 1.0], [[0.0, 0.0], [2.0, 2.0]]) == 0


def test_cdf_is_the_mixture_s():
    np.testing.assert_allclose(metrics.mixture_cdf(y, mu, sigma), mixture().cdf(y).numpy())


@pytest.mark.parametrize("level", [0.1, 0.5, 0.95, 0.9999])
def test_interval_inverts_the_cdf(level):
    lower, upper = metrics.mixture_interval(mu, sigma, level)
    np.testing.assert_allclose(mixture().cdf(lower).numpy(), (1 - level) / 2, atol=1e-6)
    np.testing.assert_allclose(mixture().cdf(upper).numpy(), (1 + level) / 2, atol=1e-6)


def test_interval_of_one_sample_is_the_normal_one():
    ends = metrics.mixture_interval(mu[:1], sigma[:1], 0.9)
    np.testing.assert_allclose(ends, stats.norm.interval(0.9, mu[0], sigma[0]), rtol=1e-9)


def test_interval_of_components_far_apart():
    lower, upper = metrics.mixture_interval([[-1e3], [1e3]], 1e-3, 0.5)  # sigma is broadcast
    np.testing.assert_allclose([lower, upper], [[-1e3], [1e3]])  # each holds half: its median


@pytest.mark.parametrize("level", [0.5, 0.9])
def test_coverage_of_draws_is_the_level(level):
    inside = np.array([metrics.covered(row, mu, sigma, level) for row in draw()[:2000]])
    se = np.sqrt(level * (1 - level) / inside.size)
    assert abs(inside.mean() - level) < 4 * se


def test_covered_are_those_inside_the_interval():
    lower, upper = metrics.mixture_interval(mu, sigma, 0.8)
    for values in (lower - 1e-6, lower + 1e-6, upper - 1e-6, upper + 1e-6, y):
        inside = (lower <= values) & (values <= upper)
        np.testing.assert_array_equal(metrics.covered(values, mu, sigma, 0.8), inside)


def test_entropy_split_against_scipy():
    total, epistemic, aleatoric = metrics.entropy_split(probabilities)
    mean = probabilities.mean(axis=0)
    np.testing.assert_allclose(total, stats.entropy(mean, axis=-1))
    np.testing.assert_allclose(aleatoric, stats.entropy(probabilities, axis=-1).mean(axis=0))
    # The mutual information as the mean Kullback-Leibler divergence to the mean prediction.
    divergence = stats.entropy(probabilities, mean[None], axis=-1).mean(axis=0)
    np.testing.assert_allclose(epistemic, divergence)


@pytest.mark.filterwarnings("error")
def test_entropy_of_one_hot_probabilities():
    agree, differ = [[1.0, 0.0], [1.0, 0.0]], [[1.0, 0.0], [0.0, 1.0]]
    split = metrics.entropy_split(np.stack([agree, differ], axis=1))  # two samples, two examples
    np.testing.assert_allclose(split, [[0, np.log(2)], [0, np.log(2)], [0, 0]])


def slow_calibration_error(confidence, correct, bins):
    """Compute the error example by example; the first bins take the remainder."""
    waiting = sorted(zip(confidence, correct, strict=True), key=lambda example: example[0])
    error = 0.0
    for b in range(bins):
        size = len(confidence) // bins + (b < len(confidence) % bins)
        bin_, waiting = waiting[:size], waiting[size:]
        error += abs(sum(p for p, _ in bin_) - sum(hit for _, hit in bin_)) / len(confidence)
    return error


@pytest.mark.parametrize("bins", [1, 4, 8, 300])
def test_calibration_error_against_a_slow_loop(bins):
    rng = np.random.default_rng(2)
    confidence = rng.uniform(0.3, 1.0, size=101)
    correct = rng.random(101) < confidence**2
    error = metrics.expected_calibration_error(confidence, correct, bins)
    assert error == pytest.approx(slow_calibration_error(confidence, correct, bins))


def test_calibration_error_against_scikit_learn():
    rng = np.random.default_rng(3)
    confidence = rng.random(800)
    correct = rng.random(800) < confidence**2
    accuracy, mean = calibration_curve(correct, confidence, n_bins=8, strategy="quantile")
    error = metrics.expected_calibration_error(confidence, correct)
    assert error == pytest.approx(abs(accuracy - mean).mean())


@pytest.mark.parametrize(
    ("confidence", "correct", "expected"),
    [
        ([1.0, 1.0], [True, True], 0.0),
        ([0.9] * 4, [False] * 4, 0.9),
        ([0.75] * 4, [True, True, True, False], 0.0),
        ([0.2, 0.2, 0.8, 0.8], [1, 1, 1, 1], (0.8 + 0.2) / 2),  # a single bin would say 0.5, too
        ([0.2, 0.2, 0.8, 0.8], [1, 1, 0, 0], 0.8),  # and here it would say 0
    ],
)
def test_calibration_error_of_known_cases(confidence, correct, expected):
    bins = len(set(confidence))
    error = metrics.expected_calibration_error(confidence, correct, bins)
    assert error == pytest.approx(expected)


@pytest.mark.parametrize(
    "score",
    [
        lambda: metrics.mixture_nll(mu[0]),
        lambda: metrics.gaussian_nll(y, mu[0], sigma[0]),
        lambda: metrics.rmse(y, mu[..., None]),
        lambda: metrics.mixture_cdf(y, mu[0], sigma[0]),
        lambda: metrics.covered(y, mu[0], sigma[0], 0.9),
        lambda: metrics.mixture_interval(mu[0], sigma[0], 0.9),
    ],
)
def test_a_forgotten_axis_of_samples_is_named(score):
    with pytest.raises(ValueError, match=r"but \(K, N\) is expected: K weight samples first"):
        score()


@pytest.mark.parametrize(
    "score",
    [
        lambda y: metrics.gaussian_nll(y, mu[:1], sigma[:1]),
        lambda y: metrics.rmse(y, mu),
        lambda y: metrics.mixture_cdf(y, mu[:1], sigma[:1]),
        lambda y: metrics.covered(y, mu[:1], sigma[:1], 0.9),
    ],
)
@pytest.mark.parametrize("values", [y[:, None], y[:-1], y[None], y[0]])
def test_values_of_another_shape_are_not_broadcast(score, values):
    with pytest.raises(ValueError, match=r"y has shape .* but \(7,\) is expected"):
        score(values)


@pytest.mark.parametrize("level", [0, 1, 95, -0.5, np.nan])
def test_a_level_is_a_probability(level):
    for score in (
        lambda: metrics.covered(y, mu, sigma, level),
        lambda: metrics.mixture_interval(mu, sigma, level),
    ):
        with pytest.raises(ValueError, match="between 0 and 1"):
            score()


def test_class_probabilities_have_three_axes_and_sum_to_one():
    with pytest.raises(ValueError, match=r"\(K, N, C\) is expected.*probabilities\[None\]"):
        metrics.entropy_split(probabilities[0])
    with pytest.raises(ValueError, match="apply softmax to logits"):
        metrics.entropy_split(np.log(probabilities))


@pytest.mark.parametrize(
    ("confidence", "correct"), [(probabilities[0], y > 0), (mu[0], y[1:] > 0), ([], [])]
)
def test_calibration_error_needs_one_confidence_per_answer(confidence, correct):
    with pytest.raises(ValueError, match=r"both need the same shape \(N,\)"):
        metrics.expected_calibration_error(confidence, correct)


def test_nll_of_classes_is_that_of_the_mean_probability():
    rng = np.random.default_rng(7)
    logits, y = rng.normal(size=(6, 40, 3)), rng.integers(0, 3, 40)
    mean = softmax(logits, axis=-1).mean(axis=0)
    expected = -np.log(mean[np.arange(40), y])
    np.testing.assert_allclose(metrics.categorical_nll(y, logits), expected)
    assert metrics.categorical_nll(y, logits).mean() == pytest.approx(log_loss(y, mean))


def test_temperature_is_recovered():
    rng = np.random.default_rng(8)
    logits = 2 * rng.normal(size=(40_000, 3))
    p = softmax(logits, axis=-1)
    y = (p.cumsum(axis=1) > rng.random((len(p), 1))).argmax(axis=1)
    assert metrics.fit_temperature(y, 2.5 * logits) == pytest.approx(2.5, rel=0.03)
    assert metrics.fit_temperature(y, 0.5 * logits) == pytest.approx(0.5, rel=0.03)


def test_calibration_error_by_chance_is_its_quantile_for_a_calibrated_model():
    rng = np.random.default_rng(9)
    confidence = rng.uniform(0.5, 1, 200)
    errors = [
        metrics.expected_calibration_error(confidence, rng.random(200) < confidence)
        for _ in range(2_000)
    ]
    expected = np.quantile(errors, 0.9)
    by_chance = metrics.calibration_error_by_chance(confidence, quantile=0.9, repeats=2_000)
    assert by_chance == pytest.approx(expected, rel=0.05)


X = (rng.random((6, 9)) < 0.4).astype(float)
LOGITS = rng.normal(scale=3, size=(4, 9))


def test_bernoulli_nll_is_that_of_every_image_under_every_output():
    bernoulli = tfp.distributions.Independent(tfp.distributions.Bernoulli(LOGITS[None]), 1)
    reference = -bernoulli.log_prob(X[:, None]).numpy()
    found = metrics.bernoulli_nll(X, LOGITS)
    assert found.shape == (6, 4)
    np.testing.assert_allclose(found, reference, rtol=1e-6)  # TFP counts in float32
    np.testing.assert_array_equal(metrics.bernoulli_nll(X > 0.5, LOGITS.tolist()), found)


def test_bernoulli_nll_of_one_pixel_is_scikit_learn_s_log_loss():
    for pixel in (0, 1):
        expected = log_loss([pixel], [[0.25, 0.75]], labels=[0, 1])
        assert metrics.bernoulli_nll([[pixel]], [[np.log(3)]]).item() == pytest.approx(expected)


def test_bernoulli_nll_does_not_overflow():
    found = metrics.bernoulli_nll([[1.0, 0.0], [0.0, 1.0]], [[1e4, -1e4], [40.0, -40.0]])
    np.testing.assert_allclose(found, [[0.0, 0.0], [2e4, 80.0]], atol=1e-14)


@pytest.mark.parametrize(
    ("x", "logits", "words"),
    [
        (X / 2, LOGITS, r"grey values between 0 and 1.*binarise first, e.g. x > 0.5"),
        (X * 255, LOGITS, r"from 0 to 255, but only 0 and 1.*divide by the largest.*binarise"),
        (X - 1, LOGITS, r"from -1 to 0, but only 0 and 1"),
        (X * np.nan, LOGITS, r"from nan to nan, but only 0 and 1"),
        (X[0], LOGITS, r"x has shape \(9,\) and logits \(4, 9\), but \(N, D\) and \(M, D\)"),
        (X.reshape(6, 3, 3), LOGITS, r"x has shape \(6, 3, 3\).*reshape\(len\(x\), -1\)"),
        (X[:, :8], LOGITS, r"x has shape \(6, 8\) and logits \(4, 9\)"),
        (X, LOGITS[:, :, None], r"logits \(4, 9, 1\), but"),
        (X, LOGITS * np.inf, r"logits holds values that are not finite"),
    ],
)
def test_bernoulli_nll_says_what_is_wrong(x, logits, words):
    with pytest.raises(ValueError, match=words):
        metrics.bernoulli_nll(x, logits)
