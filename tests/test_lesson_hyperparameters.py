"""What lesson `hyperparameters` uses, against other ways to compute it."""

import itertools
import json
import re
from pathlib import Path

import keras
import matplotlib.pyplot as plt
import numpy as np
import pytest
import tensorflow as tf

from course_utils.lessons import hyperparameters as lesson


@pytest.fixture
def rng():
    return np.random.default_rng(5)


@pytest.fixture
def small(monkeypatch):
    """A space of eight settings, and four epochs."""
    values = {"RATES": (0.003, 0.03), "L2": (0, 0.02), "DROPOUTS": (0, 0.4)}
    for name, value in values.items():
        monkeypatch.setattr(lesson, name, value)
    monkeypatch.setattr(lesson, "EPOCHS", (1, 4))
    return list(itertools.product(*values.values()))


def by_keras(x, y, new_x, new_y, width, setting, seed):
    """Train one network step by step, with Keras's layers and Adam, as the table says it does."""
    rate, l2, dropout = setting
    rng, D = np.random.default_rng(seed), x.shape[1]
    hidden = keras.layers.Dense(width, kernel_regularizer=keras.regularizers.L2(l2))
    output = keras.layers.Dense(10, kernel_regularizer=keras.regularizers.L2(l2))
    model = keras.Sequential([keras.Input((D,)), hidden, keras.layers.ReLU(), output])
    hidden.kernel.assign(rng.normal(0, np.sqrt(2 / D), (D, 1, width))[:, 0])
    output.kernel.assign(rng.normal(0, np.sqrt(1 / width), (1, width, 10))[0])
    adam = keras.optimizers.Adam(rate)
    entropy = keras.losses.SparseCategoricalCrossentropy(from_logits=True, reduction=None)
    for _ in range(4):
        order = rng.permutation(len(x)).reshape(-1, lesson.BATCH)
        noise = rng.random((*order.shape, width), dtype="float32")
        for rows, draws in zip(order, noise, strict=True):
            keep = (draws >= np.float32(dropout)) / (1 - dropout)
            with tf.GradientTape() as tape:
                logits = output(tf.nn.relu(hidden(x[rows])) * keep.astype("float32"))
                loss = tf.reduce_mean(entropy(y[rows], logits)) + sum(model.losses)
            adam.apply(tape.gradient(loss, model.trainable_variables), model.trainable_variables)
    return entropy(new_y, model(new_x)).numpy(), model(new_x).numpy().argmax(axis=1) != new_y


def test_every_network_is_what_keras_trains_one_by_one(small, rng):
    x = rng.uniform(size=(90, 7)).astype("float32")
    y = (10 * x[:, 0]).astype("int32")
    train, new = slice(0, 60), slice(60, 90)
    given = x[train], y[train], x[new], y[new]
    ends = list(lesson._of_width(*given, 5, np.random.default_rng(8)))
    assert len(ends) == 2 and ends[0][0].shape == (8, 30)
    for i, setting in enumerate(small):
        losses, wrong = by_keras(*given, 5, setting, 8)
        assert ends[-1][0][i] == pytest.approx(losses, abs=2e-4), setting
        assert (ends[-1][1][i] == wrong).mean() > 0.9, setting


def test_the_table_is_in_the_order_of_the_places(monkeypatch):
    def of_width(x, y, new_x, new_y, width, rng):
        points = np.array(list(itertools.product(lesson.RATES, lesson.L2, lesson.DROPOUTS)))
        label = width + points @ [1000, 10, 0.1]
        for epoch in lesson.EPOCHS:
            yield np.outer(label, np.ones(3)) + 1e6 * epoch, np.outer(label > 100, [1, 0, 1])

    monkeypatch.setattr(lesson, "_of_width", of_width)
    rows = np.zeros((3, 2)), np.zeros(3)
    losses, wrong = lesson.every_network(*rows, *rows, np.random.default_rng(0))
    assert losses.shape == (6, 1300, 3) and wrong.shape == (1300, 3)
    axes = lesson.RATES, lesson.WIDTHS, lesson.L2, lesson.DROPOUTS
    for number in (0, 3, 19, 137, 1299):
        place = lesson.PLACES[number]
        rate, width, l2, dropout = (axis[i] for axis, i in zip(axes, place, strict=True))
        label = width + 1000 * rate + 10 * l2 + 0.1 * dropout
        assert losses[-1, number, 0] == pytest.approx(32e6 + label, abs=4)
        assert losses[0, number, 0] == pytest.approx(1e6 + label, abs=0.2)
        assert wrong[number].tolist() == [label > 100, False, label > 100]
        assert lesson.numbers(place) == number


@pytest.mark.parametrize("levels", [(4, 2, 2, 2), (13, 5, 5, 4), (1, 1, 1, 1), (3, 2, 1, 4)])
def test_a_grid_has_all_pairs_of_so_many_equally_spaced_levels(levels, rng):
    found = [lesson.grid(levels, rng) for _ in range(50)]
    for numbers in found:
        places = lesson.PLACES[numbers]
        assert len({*numbers}) == len(numbers) == np.prod(levels)
        for d, count in enumerate(levels):
            used = np.unique(places[:, d])
            assert len(used) == count and np.ptp(np.diff(used)) <= 1 if count > 1 else True
    if np.prod(levels) == 1:  # over its shifts a grid comes everywhere
        assert len(np.unique(lesson.PLACES[np.concatenate(found)][:, 0])) > 9


def test_coarse_to_fine_looks_near_the_best(rng):
    aim = np.array([6, 2, 1, 1])
    score = np.abs(lesson.PLACES - aim).sum(axis=1) + rng.uniform(0, 0.1, lesson.SIZE)
    tried = lesson.coarse_to_fine(score, 32, rng)
    assert len(tried) == len({*tried}) == 32
    best = lesson.PLACES[tried[:16][score[tried[:16]].argsort()[:3]]]
    fine = lesson.PLACES[tried[16:]]
    assert (fine >= best.min(axis=0) - 1).all() and (fine <= best.max(axis=0) + 1).all()
    assert score[tried[16:]].mean() < score[tried[:16]].mean()


def test_tpe_comes_near_the_best_and_useless_settings_change_only_its_draws(rng):
    score = np.abs(lesson.PLACES - [6, 2, 1, 1]).sum(axis=1) + rng.uniform(0, 0.1, lesson.SIZE)
    for useless in (0, 3):
        tried = lesson.tpe(score, 40, rng, useless)
        assert len(tried) == 40 and all(0 <= number < lesson.SIZE for number in tried)
        assert score[tried[20:]].mean() < score[tried[:10]].mean() - 1
    one, same = (lesson.tpe(score, 12, np.random.default_rng(1)) for _ in range(2))
    assert one == same != lesson.tpe(score, 12, np.random.default_rng(2))


def test_the_stored_table_is_of_other_seeds_than_the_lesson():
    """A lesson that compares itself with the table would else compare itself with itself."""
    root = Path(__file__).parents[1] / "notebooks"
    source = (root / "source" / "hyperparameters.py").read_text(encoding="utf-8")
    own = int(re.search(r"setup\(seed=(\d+)\)", source)[1])
    table = json.loads((root / "tables" / "hyperparameters.json").read_text(encoding="utf-8"))
    assert own not in table["seeds"]


def test_the_promise_is_drawn_from_four_tried_rates():
    """Scores are those at the middle of the other settings; belief and promise get them right."""
    given, loss = {}, np.full((lesson.SIZE, 2), 5.0)
    middle = lesson.numbers([[rate, 2, 2, 2] for rate in range(13)])
    loss[middle] = np.exp(np.abs(np.arange(13) - 6))[:, None]

    def belief(s, among, to):
        given["s"], given["among"] = s, among
        return to.min(axis=0), np.ones(to.shape[1])

    def promise(mu, tau, best):
        given["best"] = best
        return -np.abs(mu - mu.max())

    _, axes = plt.subplots(2)
    lesson.draw_promise(axes, loss, belief, promise)
    assert np.argsort(given["s"]).tolist() == [1, 2, 0, 3] and given["best"] == given["s"][1]
    assert given["among"][0, 1] == pytest.approx((4 / 12) ** 2)
    lines = {line.get_label(): line.get_xdata() for line in [*axes[0].lines, *axes[1].lines]}
    assert lines["tried"] == pytest.approx(np.array([1, 5, 9, 11]) / 12)
    assert len(lines["not tried"]) == 13
    assert lines["the next trial"][0] == pytest.approx(3 / 12, abs=0.01)  # far from all tried
    plt.close("all")


def test_figures_are_drawn_from_what_is_given(rng):
    _, ax = plt.subplots()
    lesson.draw_scores(ax, rng.uniform(0.07, 3, 1300))
    assert any("the best says 0.07" in text.get_text() for text in ax.texts)
    _, ax = plt.subplots()
    says, is_ = np.full((5, 3), 0.1), np.full((5, 3), 0.2)
    lesson.draw_winners(ax, [8, 64, 1300], {30: (says, is_)})
    heights = {line.get_label(): line.get_ydata()[0] for line in ax.lines}
    assert heights == {"is, chosen by 30 rows": 0.2, "says, by 30 rows": 0.1}
    _, ax = plt.subplots()
    lesson.draw_searches(ax, {name: np.full(4, 0.1) for name in lesson.COLOURS})
    assert [line.get_label() for line in ax.lines] == [*lesson.COLOURS]
    figure = lesson.draw_curves(30, "log loss", [8, 64, 1300], (says, is_))
    labels = [line.get_label() for line in figure.axes[0].lines]
    assert labels == ["what the winner says", "what the winner is"]
    assert figure.axes[0].lines[1].get_ydata()[0] == 0.2
    plt.close("all")
