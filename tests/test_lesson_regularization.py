"""What the lesson `regularization` uses, against Keras and against plain NumPy."""

import keras
import matplotlib.pyplot as plt
import numpy as np
import pytest
import tensorflow as tf
from sklearn.linear_model import LogisticRegression

from course_utils.exercises.regularization import q5
from course_utils.lessons import regularization as lesson

UNITS, STEPS = 5, 8


@pytest.fixture
def world():
    """Two training sets of 6 pictures of 3 × 3 pixels, 4 judges, batches of 3."""
    rng = np.random.default_rng(1)
    x, y = rng.random((16, 9)).astype("float32"), rng.integers(10, size=16)
    sets, judge = np.arange(12).reshape(2, 6), np.arange(12, 16)
    batches = np.array([[rng.permutation(6)[:3] for _ in sets] for _ in range(STEPS)])
    return x, y, sets, judge, batches


def run(world, *settings, every=STEPS, **others):
    looks = lesson.contest(*world, {"only": settings}, units=UNITS, every=every, seed=3, **others)
    return looks["only"]


def at_start(world, *settings, **others):
    """The first weights: nothing moves at a rate of 0."""
    return run(world, *({**one, "alpha": 0} for one in settings), every=1, **others).end


def by_keras(world, setting, optimizer, penalty=None, normalise=False):
    """Weights of the second training set's network, trained by Keras with the same batches."""
    x, y, sets, _, batches = world
    layers = [keras.Input((9,)), keras.layers.Dense(UNITS, kernel_regularizer=penalty)]
    if normalise:  # the bias stands behind it: Keras's beta
        layers[1] = keras.layers.Dense(UNITS, use_bias=False)
        layers.append(keras.layers.BatchNormalization(momentum=0.9, epsilon=1e-3))
    layers += [keras.layers.ReLU(), keras.layers.Dense(10, kernel_regularizer=penalty)]
    model = keras.Sequential(layers)
    W1, b1, W2, b2, *scale = (part[1, 0] for part in at_start(world, setting, normalise=normalise))
    start = [W1, scale[0][0], b1[0], 0 * b1[0], 1 + 0 * b1[0]] if normalise else [W1, b1[0]]
    model.set_weights([*start, W2, b2[0]])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer, loss)
    for places in batches[:, 1]:
        rows = sets[1][places]
        model.train_on_batch(x[rows], y[rows][:, None])
    return model


@pytest.mark.parametrize(
    ("setting", "optimizer", "penalty"),
    [
        ({}, keras.optimizers.Adam(0.003), None),
        ({"alpha": 0.01}, keras.optimizers.Adam(0.01), None),
        ({"l2": 0.3}, keras.optimizers.Adam(0.003), keras.regularizers.L2(0.15)),
        ({"decay": 20}, keras.optimizers.AdamW(0.003, weight_decay=20), None),
    ],
)
def test_a_network_of_the_contest_is_the_one_that_keras_trains(world, setting, optimizer, penalty):
    if isinstance(optimizer, keras.optimizers.AdamW):
        optimizer.exclude_from_weight_decay(var_names=["bias"])
    model = by_keras(world, setting, optimizer, penalty)
    found = run(world, {"l1": 9}, setting)  # its neighbour does not matter
    for ours, theirs in zip(found.end, model.get_weights(), strict=True):
        assert np.squeeze(ours[1, 1]) == pytest.approx(
            theirs, abs=2e-3
        )  # Keras has another epsilon
    judge = world[3]
    scores = model(world[0][judge]).numpy()
    nll = np.log(np.exp(scores).sum(axis=1)) - scores[np.arange(4), world[1][judge]]
    assert found.nll.shape == found.wrong.shape == (2, 2, 4)
    assert found.nll[1, 1] == pytest.approx(nll, abs=2e-3)
    assert found.wrong[1, 1].tolist() == (scores.argmax(axis=1) != world[1][judge]).tolist()


def test_with_batch_normalisation_it_is_the_one_of_keras_too(world):
    model = by_keras(world, {}, keras.optimizers.Adam(0.003), normalise=True)
    found = run(world, {}, normalise=True)
    scores = model(world[0][world[3]], training=False).numpy()
    nll = np.log(np.exp(scores).sum(axis=1)) - scores[np.arange(4), world[1][world[3]]]
    assert found.nll[1, 0] == pytest.approx(nll, abs=2e-3)


def test_the_proximal_step_sets_weights_but_no_biases_to_zero(world):
    W1, _, W2, b2 = run(world, {"l1": 1_000}).end
    assert not W1.any() and not W2.any() and b2.any()


@pytest.mark.parametrize("alpha", [0.003, 0.03])
def test_the_proximal_step_shrinks_past_adam_by_alpha_times_l1(world, alpha):
    one = (*world[:4], world[4][:1])
    plain, shrunk = (run(one, {"alpha": alpha, "l1": l1}, every=1).end for l1 in (0, 5))
    for i in (0, 2):
        expected = np.sign(plain[i]) * np.maximum(np.abs(plain[i]) - alpha * 5, 0)
        assert shrunk[i] == pytest.approx(expected, abs=1e-6)
    assert (shrunk[1] == plain[1]).all() and (shrunk[3] == plain[3]).all()


def test_dropout_acts_in_training_alone_and_keeps_what_comes_out_on_average(world):
    first = (*world[:4], world[4][:1])
    still = run(first, {"drop": 0.8, "alpha": 0}, every=1)
    assert still.nll == pytest.approx(run(first, {"alpha": 0}, every=1).nll)
    assert (run(world, {"drop": 0.8}).nll != run(world, {}).nll).all()
    # Adam's first step has the size alpha where there is a gradient: units that were off for all
    # pictures of the batch do not move.
    moved = run(first, {"drop": 0.95}, every=1).end[2] - at_start(first, {"drop": 0.95})[2]
    assert 0 < (np.abs(moved).max(axis=-1) == 0).mean() < 1


def test_what_dropout_leaves_is_scaled(world):
    x, y, sets, _, batches = world
    rows = sets[0][batches[0, 0]]
    usual = {name: np.full((1, 1, 1, 1), 0, "float32") for name in lesson._USUAL}
    usual["drop"] += 0.6
    nets = lesson._Networks(1, 9, UNITS, usual, False, seed=3)
    W1, b1, W2, b2 = (part.numpy()[0, 0] for part in nets.w)
    on = tf.random.stateless_uniform((1, 1, 3, UNITS), (3, 1)).numpy()[0, 0] >= 0.6
    scores = (np.maximum(x[rows] @ W1 + b1, 0) * on / 0.4) @ W2 + b2
    nll = np.log(np.exp(scores).sum(axis=1)) - scores[np.arange(3), y[rows]]
    loss = nets.step(tf.constant(x[rows][None, None]), tf.constant(y[rows][None, None]), 1.0)
    assert loss.numpy() == pytest.approx(nll.mean(), abs=1e-4)


def test_units_that_are_not_there_do_not_move(world):
    start, end = (f(world, {"units": 2})[2][:, 0] for f in (at_start, lambda *a: run(*a).end))
    assert (start[:, 2:] == end[:, 2:]).all()
    assert (start[:, :2] != end[:, :2]).any()


def test_settings_share_start_and_batches_and_keep_their_order(world):
    both = run(world, {}, {"decay": 5}, {}, every=4)
    assert both.nll.shape == (2, 2 * 3, 4)
    assert both.nll[:, 0] == pytest.approx(both.nll[:, 2])  # the first look
    assert both.nll[:, 3] == pytest.approx(both.nll[:, 5])
    assert (both.nll[:, 3] != both.nll[:, 4]).all()
    assert run(world, {}, every=4).nll[:, 1] == pytest.approx(both.nll[:, 3])
    half = (*world[:4], world[4][:4])
    assert run(half, {}, every=4).nll[:, 0] == pytest.approx(both.nll[:, 0])


def test_methods_are_cut_apart_in_their_order(world):
    methods = {"a": [{}, {"decay": 5}], "b": [{"decay": 50}]}
    looks = lesson.contest(*world, methods, units=UNITS, every=4, seed=3)
    assert {name: look.nll.shape for name, look in looks.items()} == {
        "a": (2, 4, 4),
        "b": (2, 2, 4),
    }
    assert looks["b"].nll == pytest.approx(run(world, {"decay": 50}, every=4).nll)
    assert looks["b"].end[0] == pytest.approx(run(world, {"decay": 50}, every=4).end[0])


def test_pictures_move_by_one_pixel_in_all_directions():
    picture = np.zeros((1, 5, 5))
    picture[0, 2, 1] = 1
    nine = lesson.moved(picture.reshape(1, 25)).reshape(9, 5, 5)
    places = {tuple(np.argwhere(one)[0]) for one in nine}
    assert places == {(i, k) for i in (1, 2, 3) for k in (0, 1, 2)}
    assert (nine[4] == picture[0]).all()


def test_moved_pictures_are_trained_on_and_others_are_not_moved(world):
    assert (run(world, {"move": 1}).nll != run(world, {}).nll).all()
    assert run(world, {}, {"move": 1}).nll[:, 0] == pytest.approx(run(world, {}).nll[:, 0])


def test_a_loss_that_runs_away_is_named(world):
    with pytest.raises(ValueError, match="no longer finite"):
        run(world, {"alpha": 1e38})


def test_the_rivals_are_scikit_learns_and_judge_as_they_should():
    rng = np.random.default_rng(4)
    y = np.tile(np.arange(10), 16)
    x = rng.normal(size=(160, 10)) + 4 * np.eye(10)[y]
    sets, judge = np.arange(120).reshape(2, 60), np.arange(120, 160)
    found = lesson.rivals(x, y, sets, judge)
    for look in found.values():
        assert look.nll.shape == look.wrong.shape and look.nll.shape[::2] == (2, 40)
        assert look.wrong.mean() < 0.2 and np.isfinite(look.nll).all()
    model = LogisticRegression(C=1, max_iter=300).fit(x[sets[1]], y[sets[1]])
    expected = -model.predict_log_proba(x[judge])[np.arange(40), y[judge]]
    assert found["logistic regression"].nll[1, 2] == pytest.approx(expected)


def test_the_most_probable_weights_are_those_of_the_closed_form():
    rng = np.random.default_rng(8)
    P, y = rng.normal(size=(6, 3)), rng.normal(size=6)
    expected = np.linalg.solve(P.T @ P + 0.25 * np.eye(3), P.T @ y)  # λN is σ²/τ²
    assert lesson.most_probable(P, y, 0.4, 0.8) == pytest.approx(expected, abs=1e-4)


def test_a_unit_contributes_the_mean_square_of_what_it_adds_to_the_scores():
    W1, W2 = np.array([[[2.0, -1.0]]]), np.array([[[3.0, 4.0], [1.0, 0.0]]])
    end = [W1, np.array([[[0.0, 1.0]]]), W2, np.zeros((1, 1, 2))]
    found = lesson.contributions(end, np.array([[0.0], [1.0], [2.0]]))
    # activations 0, 2, 4 and 1, 0, 0
    assert found == pytest.approx(np.array([[25 * 20 / 3, 1 / 3]]))


def test_the_strongest_units_are_cut_out():
    # Unit k says digit k, louder the larger k is; unit 3 says 7 in the second network.
    W1 = np.tile(np.eye(4), (2, 1, 1))
    W2 = np.zeros((2, 4, 10))
    W2[:, range(4), range(4)] = [1, 2, 3, 4]
    W2[1, 3] = 4 * np.eye(10)[7]
    end = [W1, np.zeros((2, 1, 4)), W2, np.full((2, 1, 10), -0.1) + 0.2 * np.eye(10)[9]]
    x, y = np.eye(4), np.arange(4)
    assert lesson.mistakes(end, x, y).tolist() == [0, 0.25]
    assert lesson.mistakes(end, x, y, without=1).tolist() == [0.25, 0.25]
    assert lesson.mistakes(end, x, y, without=3).tolist() == [0.75, 0.75]
    own = np.array([y, [0, 1, 2, 7]])
    assert lesson.mistakes(end, np.stack([x, x]), own).tolist() == [0, 0]


def test_nobody_judges_what_it_chose():
    rng = np.random.default_rng(6)
    looks = lesson.Looks(rng.exponential(size=(3, 7, 8)), rng.integers(2, size=(3, 7, 8)) * 1.0, [])
    for choices in (slice(None), slice(-3, None), slice(1, None, 2)):
        nll, wrong, tuned = lesson.judged(looks, choices)
        for k in range(3):
            assert nll[k].mean() == pytest.approx(q5.answer(looks.nll[k, choices]))
            assert tuned[k].mean() == pytest.approx(q5.answer(looks.wrong[k, choices]))
            rows = [half.mean(axis=1).argmin() for half in np.split(looks.nll[k, choices], 2, 1)]
            expected = [
                *looks.wrong[k, choices][rows[1], :4],
                *looks.wrong[k, choices][rows[0], 4:],
            ]
            assert wrong[k].tolist() == expected


def test_the_explorer_draws_each_remedy_at_its_strength():
    j = np.arange(1, 9)

    def waves(x):
        return np.cos(np.pi * np.asarray(x)[:, None] * j) / j

    rng = np.random.default_rng(5)
    x, truth = rng.random(6), rng.normal(size=8)
    lams, steps = 0.003 * 2.0 ** np.arange(-6, 12), 2 ** np.arange(18)
    for remedy in lesson.REMEDIES:
        sizes = []
        for strength in lesson.STRENGTHS:
            figure = lesson.draw_remedy(
                remedy, strength, x, waves, truth, x, waves(x) @ truth, steps, lams
            )
            model = figure.axes[0].lines[1].get_ydata()
            w = np.array([s[1, 1] for s in figure.axes[1].collections[0].get_segments()])
            assert waves(x) @ w == pytest.approx(model)
            sizes.append(np.linalg.norm(w))
            plt.close(figure)
        assert sizes == sorted(sizes, reverse=True)  # a stronger remedy leaves smaller weights
