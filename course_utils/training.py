"""Training of small models without the overhead that dominates it.

Calling ``model.fit`` once per epoch, or batch by batch from Python, costs small models many times
what the arithmetic does. Here a whole run is one call on arrays kept in memory, with many steps
per execution, and a model can be trained again from its start without being traced anew.
"""

from collections.abc import Iterable, Sequence

import keras
import numpy as np
import tensorflow as tf
from tqdm.auto import tqdm

from course_utils import runtime

_STEPS = 50  # steps per execution: after each the loss is recorded and the progress bar moves
_SLICES = 10  # weight draws per call of `Networks.draws`
_BAR = {
    "leave": False,
    "delay": 1,
    "bar_format": "{desc} {percentage:3.0f}% |{bar}| {remaining} left",
}


class _Watch:
    """Note, within the graph, at which step a loss first was not finite: of one or many copies.

    Python sees a loss only after many steps. Nothing here touches the weights or draws a number.
    """

    def __init__(self, *copies: int) -> None:
        self._step = tf.Variable(0, dtype=tf.int64)
        self._first = tf.Variable(np.zeros(copies, "int64"))  # 0: it always was finite

    def note(self, loss: tf.Tensor) -> None:
        step = self._step.assign_add(1)
        runs_away = (self._first == 0) & ~tf.math.is_finite(loss)
        self._first.assign(tf.where(runs_away, step, self._first))

    def forget(self) -> None:
        self._step.assign(0)
        self._first.assign(tf.zeros_like(self._first))

    def first(self) -> np.ndarray:
        """Return the step for each copy, counted from 1, or 0."""
        return self._first.numpy()


class _WatchedLoss:
    """A model's `compute_loss`, with a watch on what it returns."""

    def __init__(self, compute_loss) -> None:
        self._compute_loss, self.watch = compute_loss, _Watch()

    def __call__(self, *arguments, **options):
        loss = self._compute_loss(*arguments, **options)
        self.watch.note(loss)
        return loss


def _watch(model: keras.Model) -> _Watch:
    """Have the model's training steps note whether their loss is finite."""
    if not isinstance(model.compute_loss, _WatchedLoss):
        model.compute_loss = _WatchedLoss(model.compute_loss)
        model.train_function = None  # traced again, with the watch
    model.compute_loss.watch.forget()
    return model.compute_loss.watch


def _ran_away(description: str, step: int, steps: int, whose: str = "") -> ValueError:
    if step == 1:
        help_ = "nothing was learned yet, so look at the first weights, the loss and the inputs"
    else:
        help_ = "a smaller learning rate, or inputs scaled to about 1, usually help"
    return ValueError(
        f"{description}: the loss{whose} is no longer finite at step {step} of {steps}; {help_}."
    )


class _Report(keras.callbacks.Callback):
    """Record the mean loss since the last report, move the bar, and stop what ran away."""

    def __init__(self, bar: tqdm, watch: _Watch) -> None:
        super().__init__()
        self.history: dict[str, list[float]] = {"step": []}
        self.bar, self.watch = bar, watch

    def on_train_batch_end(self, batch, logs=None):
        step = min(batch + 1, self.bar.total)  # the data's end may cut the last execution short
        self.bar.update(step - self.bar.n)
        self.history["step"].append(step)
        for name, value in (logs or {}).items():
            self.history.setdefault(name, []).append(float(value))
        self.model.reset_metrics()
        self.model.stop_training = self.watch.first() > 0


def _check_finite(**arrays: np.ndarray) -> None:
    for name, values in arrays.items():
        if not np.isfinite(values).all():
            raise ValueError(f"{name} holds values that are not finite (NaN or infinity).")


def _batches(x: np.ndarray, y: np.ndarray, epochs: int, batch_size: int) -> tf.data.Dataset:
    if batch_size >= len(x):
        # Batched and not from_tensors: its unknown length spares a trace when N changes.
        return tf.data.Dataset.from_tensor_slices((x, y)).batch(len(x)).cache().repeat(epochs)
    same, x = y is x, tf.constant(x)  # an autoencoder's data are kept once
    y = x if same else tf.constant(y)
    whole = len(x) % batch_size == 0  # nothing is dropped then, and known shapes are traced sooner
    rows = tf.data.Dataset.range(len(x)).shuffle(len(x)).batch(batch_size, drop_remainder=whole)
    rows = rows.repeat(epochs)
    return rows.map(lambda i: (tf.gather(x, i), tf.gather(y, i))).prefetch(2)


def fit(
    model: keras.Model,
    x: np.ndarray,
    y: np.ndarray,
    epochs: int,
    batch_size: int | None = None,
    description: str = "training",
    every: int = _STEPS,
) -> dict[str, np.ndarray]:
    """Train a compiled model on arrays in memory, as one call with many steps per execution.

    Parameters
    ----------
    model : keras.Model
        Compiled. Its ``steps_per_execution`` is set here.
    x, y : array, shape (N, ...)
        Inputs and targets.
    epochs : int
        Passes over the data.
    batch_size : int
        Examples per step; without it all N, which makes an epoch one step.
    description : str
        Beside the progress bar, which appears after a second and vanishes at the end.
    every : int
        Steps per execution: after so many the loss is recorded and the bar moves.

    Returns
    -------
    dict of arrays
        ``step``, those recorded and the last, and the mean ``loss`` (and every compiled metric)
        since the one before.

    Raises
    ------
    ValueError
        If x and y do not have the same length, are empty or hold values that are not finite, or
        if epochs or batch_size are not positive. If the loss is no longer finite at some step,
        which is named; the model is then put back to where it was before this training.
    """
    runtime.forget_unfinished_models()
    x, y = np.asarray(x), np.asarray(y)
    if len(x) != len(y) or not len(x):
        raise ValueError(f"x has {len(x)} rows and y has {len(y)}: both need the same, at least 1.")
    _check_finite(x=x, y=y)
    batch_size = len(x) if batch_size is None else batch_size
    if min(epochs, batch_size, every) < 1:
        raise ValueError(
            f"epochs={epochs}, batch_size={batch_size} and every={every} must all be at least 1."
        )
    steps = epochs * -(-len(x) // batch_size)
    if model.steps_per_execution != every:
        model.steps_per_execution = every
        model.train_function = None  # traced again with the new number
    if not model.built:
        try:
            model(x[:1])
        finally:  # a mistake in a layer, or an interrupt, shall not reach the next model
            runtime.forget_unfinished_models()
    # The snapshot builds the optimiser: made inside the first step, it would have it traced twice.
    start, watch = snapshot(model), _watch(model)
    with tqdm(total=steps, desc=description, **_BAR) as bar:
        report = _Report(bar, watch)
        model.fit(
            _batches(x, y, epochs, batch_size),
            epochs=1,
            shuffle=False,
            verbose=0,
            callbacks=[report],
        )
    if step := int(watch.first()):
        restore(model, start)
        raise _ran_away(description, step, steps)
    return {name: np.array(values) for name, values in report.history.items()}


def snapshot(model: keras.Model) -> list[np.ndarray]:
    """Copy the state of a model and its optimiser, to start again from it.

    Parameters
    ----------
    model : keras.Model
        Built and compiled.

    Returns
    -------
    list of arrays
        For `restore`.
    """
    model.optimizer.build(model.trainable_variables)
    return [v.numpy() for v in (*model.variables, *model.optimizer.variables)]


def restore(model: keras.Model, state: Iterable[np.ndarray]) -> None:
    """Put a model and its optimiser back into a state that `snapshot` copied.

    Nothing is traced again: that makes cross-validation of small models several times faster
    than building a new model for each fold.
    """
    for variable, value in zip((*model.variables, *model.optimizer.variables), state, strict=True):
        variable.assign(value)


class Networks:
    """R trained copies of one model, from `fit_many`: call it to predict with all of them."""

    def __init__(self, model: keras.Model, trainable: list, fixed: list) -> None:
        self._model, self._trainable, self._fixed = model, trainable, fixed

    @property
    def weights(self) -> list[np.ndarray]:
        """Trainable weights of all copies, each of shape (R, ...)."""
        return [v.numpy() for v in self._trainable]

    def _predictor(self, x: np.ndarray):
        def predict(x):
            call = _stateless(self._model)
            return tf.vectorized_map(lambda a: call(*a)[0], (self._trainable, self._fixed, x))

        # Concrete, so that TensorFlow does not warn about the traces of other networks.
        return tf.function(predict).get_concrete_function(tf.constant(x))

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """Predict with every copy.

        Parameters
        ----------
        x : array, shape (R, ...)
            What each copy is called with.

        Returns
        -------
        array, shape (R, ...)
            What each copy answers.
        """
        return self._predictor(x)(tf.constant(x)).numpy()

    def draws(self, x: np.ndarray, k: int) -> np.ndarray:
        """Predict with k weight draws of every copy.

        Parameters
        ----------
        x : array, shape (R, N, ...)
            Inputs of each copy, repeated along a new axis: a model whose layers draw one set of
            weights per slice of that axis answers with a function for each. It is called with ten
            slices at a time, which keeps its memory small.
        k : int
            Number of draws; 1 for a model without any randomness.

        Returns
        -------
        array, shape (R, k, N, ...)
        """
        slices = tf.repeat(tf.constant(x)[:, None], min(k, _SLICES), axis=1)
        predict = self._predictor(slices)
        calls = [predict(slices).numpy() for _ in range(-(-k // _SLICES))]
        return np.concatenate(calls, axis=1)[:, :k]


def _is_seed(variable) -> bool:
    return "seed_generator" in variable.path


def _stateless(model: keras.Model):
    """Model as a function of its weights: (trainable, fixed, x) -> (output, losses).

    Noise is drawn anew at each trace step, and is the same for all copies.
    """
    seeds = [
        tf.cast(tf.random.uniform(v.shape, maxval=2**31 - 1, dtype=tf.int64), v.dtype)
        for v in model.non_trainable_variables
        if _is_seed(v)
    ]

    def call(trainable, fixed, x):
        noise, others = iter(seeds), iter(fixed)
        state = [
            next(noise) if _is_seed(v) else next(others) for v in model.non_trainable_variables
        ]
        output, _, losses = model.stateless_call(trainable, state, x, return_losses=True)
        return output, losses

    return call


def fit_many(
    models: keras.Model | Sequence[keras.Model],
    x: np.ndarray,
    y: np.ndarray,
    epochs: int,
    rows: np.ndarray | None = None,
    values: dict[str, np.ndarray] | None = None,
    description: str = "training",
) -> Networks:
    """Train R copies of a small model side by side, each on data and settings of its own.

    The same arithmetic as R calls of `fit` with the full batch, vectorised over the copies: on
    two cores, a hundred small networks take little longer than one. Cross-validation, ensembles,
    grids of settings and repeats over seeds are all a matter of what the copies are given.

    Parameters
    ----------
    models : keras.Model or sequence of R keras.Model
        Built and compiled, with a loss that returns one number per row and an optimiser. The
        copies start from its weights, or each from the weights of its own model. The models
        themselves are not changed.
    x, y : array, shape (R, N, ...)
        Inputs and targets of each copy.
    epochs : int
        Steps, each on all rows.
    rows : array, shape (R, N)
        Weight of each row in each copy's mean loss: 0 leaves a row out. By default all 1.
    values : dict of str to array, shape (R,)
        Values, one per copy, of scalar weights that are not trained, by their name.
    description : str
        Beside the progress bar.

    Returns
    -------
    Networks
        Call it with an x of shape (R, ...) to predict.

    Raises
    ------
    ValueError
        If the shapes do not belong together, something is not finite, epochs is below 1, the loss
        is no number per row, or a name in values is unknown; if the loss of a copy is no longer
        finite at some step: both are named, copies counted from 0 as in x.
    """
    runtime.forget_unfinished_models()
    copies, single = len(x), isinstance(models, keras.Model)
    models = [models] * copies if single else list(models)
    model = models[0]
    rows = np.ones(np.shape(x)[:2]) if rows is None else np.asarray(rows)
    values = {name: np.asarray(value, "float32") for name, value in (values or {}).items()}
    if epochs < 1:
        raise ValueError(f"epochs={epochs} must be at least 1.")
    _check_copies(models, x, y, rows, values)
    trainable, fixed = _stacked(models, values)
    optimizer = type(model.optimizer).from_config(model.optimizer.get_config())
    optimizer.build(trainable)
    data = (tf.constant(x), tf.constant(y), tf.constant(rows, dtype=tf.float32))
    losses, watch = _losses(model, fixed, data), _Watch(copies)

    def run(steps):
        for _ in tf.range(steps):
            weights = [v.value for v in trainable]
            with tf.GradientTape() as tape:
                tape.watch(weights)
                each = losses(weights)
                total = tf.reduce_sum(each)
            optimizer.apply(tape.gradient(total, weights), trainable)
            watch.note(each)

    train = tf.function(run).get_concrete_function(tf.constant(_STEPS))
    with tqdm(total=epochs, desc=description, **_BAR) as bar:
        while bar.n < epochs:
            steps = min(_STEPS, epochs - bar.n)
            train(tf.constant(steps))
            bar.update(steps)
            if (first := watch.first()).any():
                step = first[first > 0].min()
                raise _ran_away(description, step, epochs, _whose(first == step))
    return Networks(model, trainable, fixed)


def _whose(ended: np.ndarray) -> str:
    """Say which copies ended."""
    more = f" and {ended.sum() - 1} more" if ended.sum() > 1 else ""
    return f" of copy {ended.argmax()} (of 0 to {len(ended) - 1}){more}"


def _check_copies(
    models: Sequence[keras.Model], x, y, rows: np.ndarray, values: dict[str, np.ndarray]
) -> None:
    copies = len(x)
    if len(models) != copies or not np.shape(x)[:2] == np.shape(y)[:2] == rows.shape:
        raise ValueError(
            f"x has shape {np.shape(x)}, y {np.shape(y)}, rows {rows.shape}, for {len(models)} "
            "models: x, y and rows must agree in copies and rows, with a model for each copy."
        )
    _check_finite(x=np.asarray(x), y=np.asarray(y), rows=rows, **values)
    known = {v.name for v in models[0].non_trainable_variables}
    for name, value in values.items():
        if name not in known or value.shape != (copies,):
            raise ValueError(
                f"values[{name!r}] has shape {value.shape}: expected are one value for each of "
                f"{copies} copies, for one of {sorted(known)}."
            )


def _stacked(models: Sequence[keras.Model], values: dict[str, np.ndarray]) -> tuple[list, list]:
    """Return the weights of all copies: those that are trained, and the others but for seeds."""

    def stacked(variables_of, i):
        return np.stack([variables_of(m)[i].numpy() for m in models])

    trainable = [
        keras.Variable(stacked(lambda m: m.trainable_variables, i))
        for i in range(len(models[0].trainable_variables))
    ]
    fixed = [
        tf.constant(
            values[v.name] if v.name in values else stacked(lambda m: m.non_trainable_variables, i)
        )
        for i, v in enumerate(models[0].non_trainable_variables)
        if not _is_seed(v)
    ]
    return trainable, fixed


def _losses(model: keras.Model, fixed: list, data: tuple):
    """Return a function from the copies' weights to the loss of each copy."""
    loss = keras.losses.get(model.loss)

    def losses(weights):
        call = _stateless(model)

        def one_copy(arguments):
            weights, others, x, y, rows = arguments
            output, penalties = call(weights, others, x)
            each = loss(y, output)
            if each.shape.rank != 1:
                raise ValueError("The model's loss must return one number per row, unreduced.")
            return tf.reduce_sum(rows * each) / tf.reduce_sum(rows) + sum(penalties)

        return tf.vectorized_map(one_copy, (weights, fixed, *data))

    return losses
