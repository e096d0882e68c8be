"""The mixture of tables against loops and a known truth, and the figures of `var_mod`."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import expit, logit
from scipy.stats import multivariate_normal

from course_utils.lessons import var_mod as lesson


def made(n, rng):
    """Pictures of two kinds, one in four of the first."""
    kind = rng.random(n) < 0.25
    p = np.where(kind[:, None], [0.9, 0.9, 0.1, 0.1, 0.5], [0.1, 0.2, 0.8, 0.9, 0.5])
    return (rng.random(p.shape) < p).astype("float32")


def test_the_mixture_finds_the_tables_that_made_the_pictures():
    x = made(20_000, np.random.default_rng(0))
    log_weight, logits = lesson.mixture_of_tables(x, 2, np.random.default_rng(1), 1e-3, 200)
    first = np.argmax(logits[:, 0])
    assert_allclose(np.exp(log_weight).sum(), 1, atol=1e-5)
    assert_allclose(np.exp(log_weight[first]), 0.25, atol=0.02)
    assert_allclose(expit(logits[first]), [0.9, 0.9, 0.1, 0.1, 0.5], atol=0.03)
    assert_allclose(expit(logits[1 - first]), [0.1, 0.2, 0.8, 0.9, 0.5], atol=0.03)


def test_a_mixture_of_one_is_the_smoothed_table():
    x = made(500, np.random.default_rng(2))
    log_weight, logits = lesson.mixture_of_tables(x, 1, np.random.default_rng(0))
    assert_allclose(log_weight, 0, atol=1e-6)
    assert_allclose(expit(logits[0]), x.mean(axis=0), atol=1e-5)


def test_every_step_of_the_fit_raises_the_likelihood():
    x = made(300, np.random.default_rng(3))
    fits = [lesson.mixture_of_tables(x, 4, np.random.default_rng(0), 1e-6, n) for n in range(1, 9)]
    loss = [lesson.mixture_nll(x, *fit).mean() for fit in fits]
    assert (np.diff(loss) < 1e-5).all()


def test_the_probabilities_of_all_pictures_add_up_to_one():
    rng = np.random.default_rng(4)
    log_weight, logits = np.log([0.3, 0.7]), rng.normal(size=(2, 6))
    every = np.array([[i >> j & 1 for j in range(6)] for i in range(64)], "float32")
    p = np.exp(-lesson.mixture_nll(every, log_weight, logits))
    ink = expit(logits)
    by_hand = sum(
        w * np.prod(np.where(every, t, 1 - t), axis=1) for w, t in zip([0.3, 0.7], ink, strict=True)
    )
    assert_allclose(p, by_hand)
    assert_allclose(p.sum(), 1)


@pytest.mark.parametrize("components", [0, 4])
def test_more_tables_than_pictures_are_refused(components):
    with pytest.raises(ValueError, match="must be between 1 and 3"):
        lesson.mixture_of_tables(np.eye(3), components, np.random.default_rng(0))


def test_the_map_paints_each_code_at_its_own_place():
    asked = []

    def decode(z):
        asked.append(z)
        return np.clip(z[:, :1, None] * np.ones((1, 4, 4)), 0, 1)  # ink where z_1 is large

    axes = plt.subplots(1, 2)[1]
    codes = np.random.default_rng(0).normal(size=(30, 2))
    lesson.draw_map(axes, codes, np.arange(30) % 10, decode, limit=3, side=5)
    assert_allclose(np.unique(asked[0]), [-2.4, -1.2, 0, 1.2, 2.4], atol=1e-12)
    picture = axes[1].images[0]
    assert picture.get_extent() == [-3, 3, -3, 3]
    assert axes[0].get_xlim() == axes[1].get_xlim() == (-3, 3)
    assert axes[0].get_ylim() == axes[1].get_ylim() == (-3, 3)
    mosaic = picture.get_array()
    assert mosaic[:, :8].max() == 0 and mosaic[:, -4:].min() == 1
    assert_array_equal(asked[0][0], [-2.4, 2.4])  # the first is painted at the upper left
    plt.close("all")


def test_posteriors_are_drawn_with_two_ellipses_at_q():
    axis = np.linspace(-4, 4, 41)
    z_1, z_2 = np.meshgrid(axis, axis)
    log_posterior = -((z_1 - 1) ** 2 + (z_2 + 2) ** 2)[None].repeat(2, axis=0)
    q = np.array([[1.0, -2.0], [-1, 0]]), np.array([[0.5, 0.7], [0.1, 0.2]])
    lesson.draw_posteriors(np.zeros((2, 784)), log_posterior, axis, q, np.array([1.5, 80]))
    _, ax, _, last = plt.gcf().axes
    assert_allclose([e.center for e in ax.patches], [(1, -2)] * 2)
    assert [(e.width, e.height) for e in ax.patches] == [(1.0, 1.4), (2.0, 2.8)]
    assert (ax.get_title(), last.get_title()) == ("1.5 nats", "80.0 nats")
    low, high = last.get_xlim()  # both the densest place and q are in sight
    assert low < -1
    assert high > 1
    plt.close("all")


def test_looks_are_drawn_in_their_column_and_row():
    nine = np.full((9, 4, 4), 0.25)
    lesson.draw_looks({"one": {"up": 0 * nine, "down": nine}, "two": {"up": nine, "down": nine}})
    axes = np.reshape(plt.gcf().axes, (2, 2))
    assert [ax.get_title() for ax in axes[0]] == ["one", "two"]
    assert [ax.get_ylabel() for ax in axes[:, 0]] == ["up", "down"]
    assert axes[0, 0].images[0].get_array().max() == 0
    assert axes[1, 0].images[0].get_array().max() == 0.25
    plt.close("all")


def test_shares_are_drawn_by_size_with_the_line():
    lesson.draw_shares({"one": np.array([2, 1, 0.01]), "two": np.array([0.5, 0.2, 0.1])}, line=0.1)
    ax = plt.gca()
    one, two, line = ax.get_lines()
    assert_allclose(one.get_xydata(), [(1, 2), (2, 1), (3, 0.01)])
    assert_allclose(two.get_ydata(), [0.5, 0.2, 0.1])
    assert_allclose(line.get_ydata(), 0.1)
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["one", "two"]
    assert ax.get_yscale() == "log"
    plt.close("all")


def test_rows_are_named():
    x = np.random.default_rng(0).random((5, 784))
    lesson.draw_rows({"a": x, "b": 1 - x}, columns=5)
    ax = plt.gca()
    assert [label.get_text() for label in ax.get_yticklabels()] == ["a", "b"]
    assert ax.images[0].get_array().shape == (56, 140)
    plt.close("all")


def test_logits_are_those_of_shares_of_ink():
    x = np.array([[1, 0], [1, 0], [0, 0], [1, 1]], "float32")
    _, logits = lesson.mixture_of_tables(x, 1, np.random.default_rng(0), smoothing=0)
    assert_allclose(logits[0], logit([0.75, 0.25]), atol=1e-4)


def test_a_spherical_path_keeps_the_length_and_turns_evenly():
    rng = np.random.default_rng(0)
    z = rng.normal(size=(2, 50, 6))
    z /= np.linalg.norm(z, axis=-1, keepdims=True) / 3
    third = lesson.spherical(*z, 1 / 3)
    assert_allclose(np.linalg.norm(third, axis=-1), 3)
    angle, part = (np.arccos((z[0] * other).sum(axis=-1) / 9) for other in (z[1], third))
    assert_allclose(part, angle / 3)
    assert_allclose(lesson.spherical(*z, 0), z[0])
    assert_allclose(lesson.spherical(*z, 1), z[1])


def linear_pair():
    models = [lesson.LinearVAE(2, 5, drawn) for drawn in (True, False)]
    x = np.random.default_rng(0).normal(size=(7, 5)).astype("float32")
    for model in models:
        model(x)
        model.log_z_sigma.assign([-0.7, 0.3])
        model.log_sigma.assign(-0.4)
    models[1].set_weights(models[0].get_weights())
    return x, *models


def test_the_closed_form_is_the_mean_over_draws():
    x, drawn, closed = linear_pair()
    draws = np.array([drawn(x).numpy() for _ in range(1_500)])
    error = draws.std(axis=0) / len(draws) ** 0.5
    assert error.max() < 1
    assert_allclose((draws.mean(axis=0) - closed(x)) / error, 0, atol=4.5)


def test_the_linear_loss_is_tight_where_q_is_the_posterior():
    x, _, model = linear_pair()
    W, b = model.decoder.kernel.numpy(), np.full(5, 0.2)
    W = np.diag([1.5, 0.6]) @ np.linalg.qr(W.T)[0].T  # rows at right angles: q can be exact
    variance = 0.3
    precision = W @ W.T / variance + np.eye(2)
    encoder = np.linalg.solve(precision, W / variance)
    model.decoder.set_weights([W, b])
    model.encoder.set_weights([encoder.T, -encoder @ b])
    model.log_z_sigma.assign(-0.5 * np.log(np.diag(precision)))
    model.log_sigma.assign(0.5 * np.log(variance))
    truth = multivariate_normal(b, W.T @ W + variance * np.eye(5)).logpdf(x)
    assert_allclose(-model(x).numpy(), truth, rtol=1e-4)
