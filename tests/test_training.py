"""Training against gradient descent by hand, the closed form of least squares, and plain Keras."""

from math import ceil

import keras
import numpy as np
import pytest
import tensorflow as tf

from course_utils import training
from course_utils.training import fit, fit_many, restore, snapshot

rng = np.random.default_rng(0)
X = rng.normal(size=(100, 2)).astype("float32")
Y = (X @ [[1.0], [-2.0]] + 0.5 + 0.3 * rng.normal(size=(100, 1))).astype("float32")


def linear(optimizer="sgd", loss="mse", **compiled) -> keras.Model:
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile(optimizer, loss, **compiled)
    return model


def network(seed=0, optimizer="adam", penalty=0.0, units=5) -> keras.Model:
    keras.utils.set_random_seed(seed)
    regularizer = keras.regularizers.L2(penalty) if penalty else None
    model = keras.Sequential(
        [
            keras.Input((2,)),
            keras.layers.Dense(units, activation="tanh", kernel_regularizer=regularizer),
            keras.layers.Dense(1),
        ]
    )
    model.compile(optimizer, "mse")
    return model


@pytest.fixture(scope="module")
def shared() -> keras.Model:
    """One model for all tests that need no particular weights: tracing takes the time."""
    return linear(keras.optimizers.SGD(0.01))


def assert_same_weights(weights, expected, **tolerance):
    for actual, wanted in zip(weights, expected, strict=True):
        np.testing.assert_allclose(actual, wanted, **tolerance)


# How many steps, on which examples


@pytest.mark.parametrize(
    ("n", "batch_size", "epochs"),
    [
        (100, 30, 7),  # a last batch of 10 in each epoch
        (100, None, 7),  # without batches: one step an epoch
        (100, 100, 7),
        (100, 1000, 3),
        (64, 16, 25),  # exactly two executions of 50 steps
        (60, 20, 17),  # one step over
        (49, 1, 1),  # one step short
        (1, 1, 1),
    ],
)
def test_the_number_of_steps_is_exact(shared, n, batch_size, epochs):
    before = int(shared.optimizer.iterations)
    history = fit(shared, X[:n], Y[:n], epochs, batch_size)
    steps = epochs * ceil(n / (batch_size or n))
    assert int(shared.optimizer.iterations) - before == steps
    full = list(range(50, steps + 1, 50))
    assert history["step"].tolist() == (full if steps % 50 == 0 else [*full, steps])
    assert history["loss"].shape == history["step"].shape


class Tape(keras.layers.Layer):
    """Pass its input on, and keep what was seen: one array for each step."""

    def call(self, x):
        tf.numpy_function(lambda rows: self.seen.append(rows[:, 0]), [x], [])
        return x


@pytest.mark.parametrize(("batch_size", "sizes"), [(4, [4, 4, 2]), (None, [10])])
def test_an_epoch_shows_every_example_once(batch_size, sizes):
    tape = Tape()
    tape.seen = []
    model = keras.Sequential([keras.Input((1,)), tape, keras.layers.Dense(1)])
    model.compile("sgd", "mse", jit_compile=False)
    x = np.arange(10.0)[:, None]
    fit(model, x, np.zeros(10), epochs=6, batch_size=batch_size)
    assert [len(step) for step in tape.seen] == 6 * sizes
    epochs = np.concatenate(tape.seen).reshape(6, 10)
    np.testing.assert_array_equal(np.sort(epochs), np.tile(np.arange(10), (6, 1)))
    if batch_size:
        assert len({tuple(order) for order in epochs}) == 6  # a new order each time


def test_inputs_and_targets_stay_together():
    model = keras.Sequential([keras.Input((1,)), keras.layers.Identity()])
    model.compile("sgd", "mae")
    x = np.arange(10.0)[:, None]
    assert (fit(model, x, x, epochs=5, batch_size=3)["loss"] == 0).all()


# What is learned


def test_full_batches_are_gradient_descent_by_hand():
    model = linear(keras.optimizers.SGD(0.1), metrics=["mae"])
    w, b = (v.numpy().astype(float) for v in model.trainable_variables)
    losses, errors = [], []
    for _ in range(70):
        residual = X @ w + b - Y
        losses.append(np.mean(residual**2))
        errors.append(np.mean(abs(residual)))
        w, b = w - 0.1 * 2 * X.T @ residual / 100, b - 0.1 * 2 * residual.mean(axis=0)
    history = fit(model, X, Y, epochs=70)
    assert_same_weights(model.get_weights(), [w, b], rtol=1e-4)
    assert history.keys() == {"step", "loss", "mae"}
    for name, each in (("loss", losses), ("mae", errors)):  # the mean since the last report
        np.testing.assert_allclose(history[name], [np.mean(each[:50]), np.mean(each[50:])], 1e-4)


def test_least_squares_is_found():
    model = linear(keras.optimizers.SGD(0.1))
    history = fit(model, X, Y, epochs=400)
    design = np.hstack([X, np.ones((100, 1))]).astype(float)
    solution, residual, *_ = np.linalg.lstsq(design, Y.astype(float))
    found = np.concatenate([model.get_weights()[0], model.get_weights()[1][None]])
    np.testing.assert_allclose(found, solution, rtol=1e-5)
    np.testing.assert_allclose(history["loss"][-1], residual / 100, rtol=1e-5)


def test_plain_keras_learns_the_same():
    ours, plain = network(0, "sgd", 0.01), network(0, "sgd", 0.01)
    assert_same_weights(ours.get_weights(), plain.get_weights())
    fit(ours, X, Y, epochs=20)
    plain.compile("sgd", "mse", run_eagerly=True)
    plain.fit(X, Y, batch_size=100, epochs=20, shuffle=False, verbose=0)
    assert_same_weights(ours.get_weights(), plain.get_weights(), atol=1e-5)


# Starting again


def test_training_again_from_a_snapshot_gives_the_same_weights():
    model = keras.Sequential(  # dropout: the state of its random numbers is put back, too
        [keras.Input((2,)), keras.layers.Dense(5), keras.layers.Dropout(0.5), keras.layers.Dense(1)]
    )
    model.compile("adam", "mse", metrics=["mae"])
    start = snapshot(model)
    before = model.get_weights()
    fit(model, X, Y, epochs=60)
    once = model.get_weights()
    assert (once[0] != before[0]).any()

    restore(model, start)
    assert_same_weights(model.get_weights(), before, rtol=0)
    assert int(model.optimizer.iterations) == 0
    fit(model, X, Y, epochs=60)
    assert_same_weights(model.get_weights(), once, rtol=0)


def test_a_snapshot_continues_where_it_was_taken():
    model = network()
    fit(model, X, Y, epochs=30)
    middle = snapshot(model)
    fit(model, X, Y, epochs=30)
    expected = model.get_weights()
    restore(model, middle)
    fit(model, X, Y, epochs=30)
    assert_same_weights(model.get_weights(), expected, rtol=0)


@pytest.mark.parametrize("other", [linear, network, lambda: network(units=4, optimizer="sgd")])
def test_the_state_of_another_model_is_refused(other):
    with pytest.raises(ValueError):
        restore(network(optimizer="sgd"), snapshot(other()))


class Traced(keras.layers.Dense):
    """Count how often Python runs through it: once a trace."""

    traces = 0

    def call(self, x):
        self.traces += 1
        return super().call(x)


@pytest.mark.parametrize("batch_size", [None, 8])
def test_other_data_after_restore_are_not_traced_again(batch_size):
    layer = Traced(1)
    model = keras.Sequential([keras.Input((2,)), layer])
    model.compile("adam", "mse")
    start = snapshot(model)
    fit(model, X, Y, epochs=3, batch_size=batch_size)
    traces = layer.traces
    for n in (100, 80, 31):
        restore(model, start)
        fit(model, X[:n], Y[:n], epochs=n // 10, batch_size=batch_size)
    assert layer.traces == traces


def test_the_first_training_is_traced_once():
    layer = Traced(1)
    model = keras.Sequential([layer])
    model.compile("adam", "mse")
    model(X[:1])
    built = layer.traces
    fit(model, X, Y, epochs=3, batch_size=8)
    assert layer.traces == built + 1


def test_a_model_that_was_never_called_is_built():
    model = keras.Sequential([keras.layers.Dense(1)])
    model.compile("adam", "mse")
    assert np.isfinite(fit(model, X, Y, epochs=3)["loss"]).all()


# What is refused


@pytest.mark.parametrize(
    ("x", "y", "settings", "message"),
    [
        (X, Y[:99], {}, "x has 100 rows and y has 99"),
        (X[:0], Y[:0], {}, "x has 0 rows and y has 0: both need the same, at least 1"),
        (np.where(X > 0, X, np.nan), Y, {}, "x holds values that are not finite"),
        (X, np.where(Y > 0, Y, np.inf), {}, "y holds values that are not finite"),
        (X, Y, {"epochs": 0}, "epochs=0, batch_size=100 and every=50 must all be at least 1"),
        (X, Y, {"every": 0}, "every=0 must all be at least 1"),
        (X, Y, {"batch_size": 0}, "epochs=1, batch_size=0 and every=50 must all be at least 1"),
        (X, Y, {"batch_size": -5}, "batch_size=-5"),
    ],
)
def test_fit_says_what_is_wrong(shared, x, y, settings, message):
    before = int(shared.optimizer.iterations)
    with pytest.raises(ValueError, match=message):
        fit(shared, x, y, **{"epochs": 1} | settings)
    assert int(shared.optimizer.iterations) == before


# A loss that is not finite


class Bomb(keras.layers.Layer):
    """Pass the input on, but times `value` in step number `at` (0: never)."""

    def build(self, shape):
        self.at, self.step, self.value = (
            self.add_weight((), "zeros", trainable=False, name=name)
            for name in ("at", "step", "value")
        )

    def call(self, x):
        self.step.assign(self.step + 1)
        return tf.where(self.step == self.at, self.value, 1.0) * x


@pytest.fixture(scope="module")
def mined() -> tuple[keras.Model, list[np.ndarray]]:
    model = keras.Sequential([keras.Input((2,)), Bomb(), keras.layers.Dense(1)])
    model.compile("adam", "mse")
    return model, snapshot(model)


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("at", [2, 37, 50, 51, 100, 101, 120])
def test_a_loss_that_is_not_finite_is_named_at_its_step(mined, at, value):
    model, start = mined
    restore(model, start)
    fit(model, X, Y, epochs=3)  # what came before is not counted
    model.layers[0].step.assign(0)
    model.layers[0].at.assign(at)
    model.layers[0].value.assign(value)
    before = snapshot(model)
    message = f"^fold 3: the loss is no longer finite at step {at} of 120; a smaller learning rate"
    with pytest.raises(ValueError, match=message):
        fit(model, X, Y, epochs=40, batch_size=40, description="fold 3")
    assert_same_weights(snapshot(model), before, rtol=0)


def test_after_a_loss_that_was_not_finite_the_same_model_learns_as_if_new(mined):
    model, start = mined
    restore(model, start)
    once = fit(model, X, Y, epochs=60)
    weights = model.get_weights()
    restore(model, start)
    model.layers[0].at.assign(60)
    model.layers[0].value.assign(np.nan)
    with pytest.raises(ValueError, match="step 60 of 70"):
        fit(model, X, Y, epochs=70)
    model.layers[0].at.assign(0)
    again = fit(model, X, Y, epochs=60)
    assert_same_weights(model.get_weights()[-2:], weights[-2:], rtol=0)
    np.testing.assert_array_equal(again["loss"], once["loss"])


def test_a_rate_that_is_too_large_is_named_at_its_step():
    tape = Tape()
    tape.seen = []
    model = keras.Sequential([keras.Input((2,)), tape, keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(30.0), "mse", jit_compile=False)
    w, b = model.get_weights()
    steps = 0
    with np.errstate(over="ignore"):
        while np.isfinite(np.mean(np.square(X @ w + b - Y))):
            slope = 2 * (X @ w + b - Y) / np.float32(100)
            w, b, steps = w - 30 * X.T @ slope, b - 30 * slope.sum(axis=0), steps + 1
    assert 5 < steps < 40
    with pytest.raises(ValueError, match=f"step {steps + 1} of 500"):
        fit(model, X, Y, epochs=500)
    assert len(tape.seen) == 50  # nothing was done after that execution


def test_a_model_that_keras_has_trained_before_is_watched_too():
    model = linear(keras.optimizers.SGD(30.0))
    data = training._batches(X, Y, 1, 100)  # so that nothing needs a new trace
    model.fit(data, shuffle=False, verbose=0)
    with pytest.raises(ValueError, match=r"no longer finite at step \d+ of 50"):
        fit(model, X, Y, epochs=50, every=1)


def test_a_loss_that_never_was_finite_does_not_blame_the_rate():
    model = linear(loss=lambda y, z: tf.math.log(-tf.abs(z)))
    with pytest.raises(ValueError, match="at step 1 of 3; nothing was learned yet, so look at"):
        fit(model, X, Y, epochs=3)


def test_the_copy_whose_loss_is_not_finite_is_named_with_its_step():
    x = XS * np.array([1, 1e4, 30], "float32")[:, None, None]
    model = linear(keras.optimizers.SGD(0.05))
    start, named = snapshot(model), []
    for i in (1, 2):
        restore(model, start)
        with pytest.raises(ValueError) as error:
            fit(model, x[i], YS[i], epochs=70)
        named.append(str(error.value))
    assert named[0] != named[1]  # the second copy is the first to run away
    step = named[0].split(" at ")[1]
    restore(model, start)
    with pytest.raises(ValueError) as error:
        fit_many(model, x, YS, epochs=70, description="grid")
    assert str(error.value) == f"grid: the loss of copy 1 (of 0 to 2) is no longer finite at {step}"
    with pytest.raises(ValueError, match=r"the loss of copy 0 \(of 0 to 2\) and 2 more is no"):
        fit_many(model, np.stack([x[1]] * 3), YS, epochs=70)
    assert_same_weights(snapshot(model), start, rtol=0)


class Noise(keras.layers.Layer):
    """Noise by TensorFlow's own generator: one more random operation would change its draws."""

    def call(self, x):
        return x + tf.random.normal(tf.shape(x))


@pytest.mark.parametrize("train", [fit, fit_many])
def test_watching_the_loss_changes_no_number(train):
    def learned():
        keras.utils.set_random_seed(0)
        noise = Noise() if train is fit else keras.layers.Dropout(0.5)
        model = keras.Sequential([keras.Input((2,)), noise, keras.layers.Dense(1)])
        model.compile("adam", "mse")
        if train is fit:
            history = fit(model, X, Y, 8, 30)
            return [*model.get_weights(), history["loss"], np.random.rand(3)]
        return [*fit_many(model, XS, YS, epochs=52).weights, np.random.rand(3)]

    watched = learned()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training, "_watch", lambda model: training._Watch())
        patch.setattr(training._Watch, "note", lambda watch, loss: None)
        assert_same_weights(watched, learned(), rtol=0)


# After a model that was never finished


class Student(keras.Model):
    """A model whose weights Keras makes when it is first called."""

    def __init__(self, initializer="glorot_uniform"):
        super().__init__()
        self.inner, self.outer = (
            keras.layers.Dense(3),
            keras.layers.Dense(1, None, True, initializer),
        )

    def call(self, x):
        return self.outer(self.inner(x))


def stop_half_way(kind: type[BaseException], train) -> None:
    def initializer(shape, dtype=None):
        raise kind

    model = Student(initializer)
    model.compile("sgd", "mse")
    with pytest.raises(BaseException):  # noqa: B017
        train(model)


def by_keras(model: keras.Model) -> None:
    model.fit(X, Y, verbose=0)


def learned() -> list[np.ndarray]:
    keras.utils.set_random_seed(0)
    model = Student()
    model.compile("adam", "mse")
    return [fit(model, X, Y, epochs=3)["loss"], *model.get_weights()]


@pytest.fixture(scope="module")
def undisturbed() -> list[np.ndarray]:
    return learned()


@pytest.mark.parametrize("kind", [ValueError, KeyboardInterrupt])
def test_after_a_model_that_was_never_finished_others_learn_the_same(undisturbed, kind):
    stop_half_way(kind, by_keras)
    assert_same_weights(learned(), undisturbed, rtol=0)


@pytest.mark.parametrize("kind", [ValueError, KeyboardInterrupt])
def test_copies_are_trained_after_a_model_that_was_never_finished(shared, kind):
    stop_half_way(kind, by_keras)
    assert np.isfinite(fit_many(shared, XS, YS, epochs=1)(XS)).all()


@pytest.mark.parametrize("kind", [ValueError, KeyboardInterrupt])
def test_a_model_that_fit_could_not_build_is_forgotten(kind):
    stop_half_way(kind, lambda model: fit(model, X, Y, epochs=1))
    keras.Sequential([keras.Input((2,)), Student()])  # Keras would make the other's weights, too


# Progress bars


def assert_came_and_went(written: str, description: str):
    """Check that a bar was drawn, and that the last thing written blanks its line."""
    assert description in written and "% |" in written and " left" in written
    assert "\n" not in written
    *_, blank, end = written.split("\r")
    assert len(blank) > 30 and blank.isspace() and end == ""


@pytest.mark.parametrize("train", [fit, fit_many])
def test_a_slow_training_shows_a_bar_that_vanishes(shared, monkeypatch, capsys, train):
    monkeypatch.setitem(training._BAR, "delay", 0)
    x, y = (X, Y) if train is fit else (XS, YS)
    train(shared, x, y, epochs=120, description="fold 3")
    out, err = capsys.readouterr()
    assert_came_and_went(err, "fold 3")
    assert out == ""


@pytest.mark.parametrize("train", [fit, fit_many])
def test_the_bar_of_a_training_that_ran_away_vanishes(shared, monkeypatch, capsys, train):
    monkeypatch.setitem(training._BAR, "delay", 0)
    x, y = (X, Y) if train is fit else (XS, YS)
    with pytest.raises(ValueError, match="no longer finite"):
        train(shared, 1e10 * x, y, epochs=120, description="fold 3")
    assert_came_and_went(capsys.readouterr().err, "fold 3")


def test_a_quick_training_shows_nothing(shared, capsys):
    fit(shared, X, Y, epochs=3)
    assert capsys.readouterr() == ("", "")


# Many copies side by side

XS = np.stack([X, X[::-1], 2 * X])
YS = np.stack([Y, Y + 1, -Y])


def assert_copies_learn_alone(many, models, used=(slice(None),) * 3):
    """Train each copy on the rows that it used, and compare the weights."""
    alone = models[0]  # from the start of each copy in turn, which spares the others' traces
    for i, start in enumerate([snapshot(model) for model in models]):
        restore(alone, start)
        fit(alone, XS[i, used[i]], YS[i, used[i]], epochs=60)
        assert_same_weights([w[i] for w in many.weights], alone.get_weights(), atol=1e-5)


def test_many_models_learn_what_each_learns_alone():
    models = [network(seed, penalty=0.01) for seed in range(3)]
    before = [snapshot(model) for model in models]
    many = fit_many(models, XS, YS, epochs=60)
    for model, start in zip(models, before, strict=True):
        assert_same_weights(snapshot(model), start, rtol=0)  # left as they were
    assert_copies_learn_alone(many, models)
    predictions = many(XS)
    assert predictions.shape == (3, 100, 1)
    np.testing.assert_allclose(predictions[2], models[0](XS[2]), atol=1e-5)  # trained last as it


def test_copies_of_one_model_start_from_its_weights_and_weigh_rows():
    rows = np.ones((3, 100))
    rows[0, 70:] = 0  # left out
    rows[1, :50] = 2  # as if there twice
    used = [np.arange(70), np.concatenate([np.arange(100), np.arange(50)]), np.arange(100)]
    models = [network(optimizer="sgd") for _ in range(3)]  # Adam would hide a loss of another scale
    many = fit_many(models[0], XS, YS, epochs=60, rows=rows)
    assert_copies_learn_alone(many, models, used)


class Ridge(keras.layers.Dense):
    """A linear layer whose penalty has a weight of its own, `beta`."""

    def build(self, shape):
        super().build(shape)
        self.beta = self.add_weight(name="beta", shape=(), initializer="zeros", trainable=False)

    def call(self, x):
        self.add_loss(self.beta * keras.ops.sum(self.kernel**2))
        return super().call(x)


def test_each_copy_has_its_own_values():
    model = keras.Sequential([keras.Input((2,)), Ridge(1, use_bias=False)])
    model.compile(keras.optimizers.SGD(0.1), "mse")
    beta = np.array([0.0, 0.3, 2.0])
    many = fit_many(model, np.stack([X] * 3), np.stack([Y] * 3), 300, values={"beta": beta})
    x, y = X.astype(float), Y.astype(float)
    for i in range(3):
        ridge = np.linalg.solve(x.T @ x / 100 + beta[i] * np.eye(2), x.T @ y / 100)
        np.testing.assert_allclose(many.weights[0][i], ridge, rtol=1e-4)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"y": YS[:, :99]}, "x, y and rows must agree"),
        ({"y": YS[:2]}, "x, y and rows must agree"),
        ({"x": XS[:, :99]}, "x, y and rows must agree"),
        ({"rows": np.ones((3, 99))}, "x, y and rows must agree"),
        ({"rows": np.ones(3)}, "x, y and rows must agree"),
        ({"y": YS[:, :99], "rows": np.ones((3, 99))}, "x, y and rows must agree"),
        ({"values": {"gamma": np.ones(3)}}, r"\['gamma'\]"),
    ],
)
def test_fit_many_says_what_is_wrong(shared, changed, message):
    with pytest.raises(ValueError, match=message):
        fit_many(**{"models": shared, "x": XS, "y": YS, "epochs": 1} | changed)


def test_fit_many_needs_a_model_for_each_copy(shared):
    with pytest.raises(ValueError, match="for 2 models"):
        fit_many([shared] * 2, XS, YS, 1)


def test_fit_many_needs_a_loss_for_each_row():
    with pytest.raises(ValueError, match="one number per row"):
        fit_many(linear(loss=keras.losses.MeanSquaredError()), XS, YS, 1)


@pytest.mark.parametrize("k", [1, 10, 23])
def test_draws_are_as_many_as_asked_for_and_all_different(k):
    class Noisy(keras.Model):
        def build(self, shape):
            self.scale = self.add_weight((), "ones", name="scale")
            self.noise = keras.random.SeedGenerator(0)

        def call(self, x):
            if len(x.shape) == 2:
                return self.scale * x
            lead = keras.ops.shape(x)[0]
            return self.scale * x + keras.random.normal((lead, 1, 1), seed=self.noise)

    model = Noisy()
    model(np.ones((1, 2, 1), "float32"))
    model.compile("sgd", loss=lambda y, z: (y - z)[..., 0] ** 2)
    x = np.ones((3, 5, 1), "float32")
    networks = training.fit_many(model, x, x, epochs=1)
    drawn = networks.draws(x, k)
    assert drawn.shape == (3, k, 5, 1)
    assert np.ptp(drawn, axis=2).max() < 1e-6  # one draw for all rows of a slice
    assert len(np.unique(drawn[0, :, 0].round(5))) == k
