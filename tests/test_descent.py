"""Ways down a surface, against closed forms of the quadratic."""

import numpy as np
import pytest

from course_utils import descent

pytestmark = pytest.mark.filterwarnings("error")  # numbers that run away must not warn


def gradient_descent(dw, V, S, t, alpha):
    return alpha * dw, V, S


def momentum(dw, V, S, t, alpha, beta=0.9):
    V = beta * V + (1 - beta) * dw
    return alpha * V, V, S


def adam(dw, V, S, t, alpha, beta_M=0.9, beta_R=0.999, eta=1e-8):
    V = beta_M * V + (1 - beta_M) * dw
    S = beta_R * S + (1 - beta_R) * dw**2
    return alpha * V / (1 - beta_M**t) / (np.sqrt(S / (1 - beta_R**t)) + eta), V, S


H = np.array([[3.0, 1.0], [1.0, 2.0]])
STARTS = np.random.default_rng(0).normal(size=(5, 2))


def slope(w):
    return w @ H


# The way


@pytest.mark.parametrize("start", [STARTS[0], STARTS, STARTS[:4].reshape(2, 2, 2)])
def test_gradient_descent_on_a_quadratic_is_a_power_of_a_matrix(start):
    path = descent.path(gradient_descent, slope, start, 0.3, 20)
    powers = [np.linalg.matrix_power(np.eye(2) - 0.3 * H, t) for t in range(21)]
    np.testing.assert_allclose(path, [start @ power for power in powers], atol=1e-12)
    assert path.shape == (21, *start.shape)


@pytest.mark.parametrize("start", [2, [2, -1, 0.5]])
def test_numbers_go_down_as_well_as_points(start):
    path = descent.path(gradient_descent, lambda w: 4 * w, start, 0.1, 7)
    np.testing.assert_allclose(path, np.multiply.outer(0.6 ** np.arange(8), start))


@pytest.mark.parametrize("beta", [0.0, 0.5, 0.9])
def test_momentum_on_a_quadratic_is_a_recursion_of_two_terms(beta):
    path = descent.path(momentum, lambda w: 4 * w, 1.0, 0.7, 30, beta=beta)
    now = path[1:-1] * (1 + beta - 0.7 * (1 - beta) * 4)
    np.testing.assert_allclose(path[2:], now - beta * path[:-2], atol=1e-12)
    assert path[1] == pytest.approx(1 - 0.7 * (1 - beta) * 4)  # the average starts at 0


def test_each_step_has_the_rate_of_a_schedule():
    alpha = 0.5 / np.sqrt(np.arange(1, 9))
    path = descent.path(gradient_descent, lambda w: 3 * w, 1.0, alpha, 8)
    np.testing.assert_allclose(path, np.cumprod([1, *(1 - 3 * alpha)]))


def test_the_rule_gets_back_what_it_returned():
    seen = []

    def rule(dw, V, S, t, alpha, **settings):
        seen.append((float(dw), V, S, t, alpha, settings))
        return alpha * dw, V + 1, S - t

    descent.path(rule, lambda w: 2 * w, 1.0, [0.5, 0.25, 1], 3, beta=0, eta=-3)
    settings = {"beta": 0, "eta": -3}
    assert seen == [
        (2.0, 0.0, 0.0, 1, 0.5, settings),
        (0.0, 1.0, -1.0, 2, 0.25, settings),
        (0.0, 2.0, -3.0, 3, 1.0, settings),
    ]


def test_many_starts_go_down_as_each_would_alone():
    together = descent.path(adam, slope, STARTS, 0.1, 40, beta_M=0.8)
    for i, start in enumerate(STARTS):
        alone = descent.path(adam, slope, start, 0.1, 40, beta_M=0.8)
        np.testing.assert_allclose(together[:, i], alone, atol=1e-12)


def test_gradient_and_rule_may_work_in_place():
    kept, start = np.ones(2), np.ones(2)

    def gradient(w):
        w *= 2
        return w

    def returns_its_own(w):
        kept[:] = 2 * w
        return kept

    def rule(dw, V, S, t, alpha):
        dw *= alpha
        return dw, V, S

    expected = np.multiply.outer(0.8 ** np.arange(6), np.ones(2))
    for function in (gradient, returns_its_own):
        np.testing.assert_allclose(descent.path(rule, function, start, 0.1, 5), expected)
    np.testing.assert_array_equal(start, 1)
    np.testing.assert_allclose(kept, 2 * expected[-2])  # so the rule had a copy


# What is wrong


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"alpha": 0}, "alpha is 0, but a learning rate is positive and finite: minus stands in"),
        ({"alpha": -0.1}, "alpha is -0.1, but"),
        ({"alpha": np.inf}, "alpha is inf, but"),
        ({"alpha": np.nan}, "alpha is nan, but"),
        ({"alpha": [0.1, 0.1, np.inf, 0]}, r"alpha\[2\], the rate of step 3, is inf, but"),
        ({"alpha": [0.1, 0, 0.1, 0.1]}, r"alpha\[1\], the rate of step 2, is 0, .* counts from 1"),
        ({"alpha": [0.1] * 5}, r"alpha has shape \(5,\), but .* a schedule of shape \(4,\)"),
        ({"alpha": [0.1]}, r"alpha has shape \(1,\), but one rate"),
        ({"steps": 0}, "steps=0 must be a whole number, at least 1"),
        ({"steps": 2.5}, r"steps=2\.5 must be a whole number"),
        ({"start": [1, np.nan]}, r"start=\[ 1\., nan\] is no place: finite numbers"),
        ({"start": []}, r"start=\[\] is no place"),
        ({"beta_M": 1}, r"beta_M=1 must lie in \[0, 1\)"),
        ({"beta_R": -0.1}, r"beta_R=-0\.1 must lie in"),
        ({"beta_R": np.nan}, "beta_R=nan must lie in"),
        ({"beta_R": [0.9, 0.9]}, r"beta_R=\[0\.9, 0\.9\] must lie in"),
        ({"gradient": lambda w: w[:1]}, r"gradient\(w\) has shape \(1,\), but w has shape \(2,\)"),
        ({"gradient": lambda w: w.sum()}, r"gradient\(w\) has shape \(\), but w has shape \(2,\)"),
        ({"rule": lambda *given: given[0]}, "rule must return three things.*return step, V, S"),
        ({"rule": lambda *given: (given[0], 0)}, "rule must return three things"),
        ({"rule": lambda *given: np.ones(3)}, "rule must return three things"),
        (
            {"rule": lambda *given: (0.1, 0, 0)},
            r"the rule's step has shape \(\), but w has shape \(2,\)",
        ),
    ],
)
def test_path_says_what_is_wrong(change, words):
    betas = {name for name in change if name.startswith("beta")}
    given = {"rule": adam if betas else gradient_descent, "gradient": slope, "start": STARTS[0]}
    with pytest.raises(ValueError, match=words):
        descent.path(**given | {"alpha": 0.1, "steps": 4} | change)


@pytest.mark.parametrize(
    ("start", "point"),
    [
        (0.3, r"w = 0\.1:"),
        ([5.0, 0.3], r"w = \[4\.8, 0\.1\]:"),
        ([[5.0, 5.0], [5.0, 0.3]], r"w\[1\] = \[4\.8, 0\.1\]:"),
        (np.full(9, 5.0) - 4.7 * (np.arange(9) == 7), r"w\[7\] = 0\.1:"),
        (np.full((2, 3, 9), 5.0) - 4.7 * (np.arange(9) == 7), r"w\[0, 0\] = \[.*, \.\.\., .*\]:"),
    ],
)
@pytest.mark.parametrize("value", [np.nan, -np.inf])
def test_the_point_is_named_where_the_surface_ends(start, point, value):
    words = rf"the gradient is {value} at step 3, from {point} the surface may not be defined .*"
    with pytest.raises(ValueError, match=words + r"alpha=0\.1 is so large that w ran away"):
        descent.path(gradient_descent, lambda w: np.where(w > 0.15, 1.0, value), start, 0.1, 9)


def test_a_surface_of_logarithms_or_powers_may_run_away_without_warnings():
    with pytest.raises(ValueError, match=r"at step 2, from w = -5\.9: .* alpha=0\.5 is so large"):
        descent.path(gradient_descent, lambda w: 2 + 0 * np.log(w), 0.1, [3, 0.5], 2)
    with pytest.raises(ValueError, match=r"is -?inf at step \d, from w = .*e\+\d+: .* alpha=1 is"):
        descent.path(gradient_descent, lambda w: w**3, 3.0, 1, 100)
    with pytest.raises(ValueError, match=r"is -?inf at step \d+, from w = \[.*e\+\d+.*\]: "):
        descent.path(gradient_descent, slope, STARTS[0], 1e9, 100)


def test_a_step_that_divides_by_zero_is_named():
    words = r"w after the step is nan at step 1, from w = \[0\., 2\.\]: the rule may divide by zero"
    with pytest.raises(ValueError, match=words):
        descent.path(adam, lambda w: w, [0, 2], 0.1, 5, eta=0)
