"""What the lesson `hyperparameters` needs: every network of its space, two searches, figures."""

import itertools
from collections.abc import Callable, Sequence

import matplotlib.pyplot as plt
import numpy as np
import optuna
import tensorflow as tf
from matplotlib.axes import Axes
from tqdm.auto import tqdm

RATES = np.logspace(-4, 0, 13)
WIDTHS = (4, 8, 16, 32, 64)
L2 = (0, 1e-4, 1e-3, 1e-2, 1e-1)
DROPOUTS = (0, 0.2, 0.4, 0.6)
SHAPE = len(RATES), len(WIDTHS), len(L2), len(DROPOUTS)
SIZE = int(np.prod(SHAPE))  # 1,300
PLACES = np.stack(np.unravel_index(np.arange(SIZE), SHAPE), axis=1)  # (1300, 4)
EPOCHS = (1, 2, 4, 8, 16, 32)  # after which every network is judged
BATCH = 30

TEXTS = {
    "hero": "True loss and score of the winner against the number of trials. The scores fall for "
    "ever. The true loss falls with 300 rows, stays with 100, and turns up with 30.",
    "searches": "Loss above the best against trials: at the end random search and the grid are far "
    "above TPE, the Gaussian process and the sweep, which end close together.",
}
COLOURS = {"random": "C7", "grid": "C1", "coarse to fine": "C4", "TPE": "C0",
           "Gaussian process": "C2", "sweep": "C3"}  # fmt: skip


def _updates(weights: list, rates: list, x: tf.Tensor, losses):
    """Return a step of Adam, as Keras does it, for all networks at once."""
    first = [tf.Variable(tf.zeros_like(w)) for w in weights]
    second = [tf.Variable(tf.zeros_like(w)) for w in weights]
    steps = tf.Variable(0.0)

    @tf.function
    def epoch(x, y, noise):
        for batch in tf.range(len(x)):
            with tf.GradientTape() as tape:
                now = [w.value() for w in weights]
                tape.watch(now)
                loss = losses(now, x[batch], y[batch], noise[batch])
            gradients = tape.gradient(loss, now)
            steps.assign_add(1.0)
            for w, m, v, g, rate in zip(weights, first, second, gradients, rates, strict=True):
                m.assign_add(0.1 * (g - m))
                v.assign_add(0.001 * (g * g - v))
                rate = rate * tf.sqrt(1 - 0.999**steps) / (1 - 0.9**steps)
                w.assign_sub(rate * m / (tf.sqrt(v) + 1e-7))

    return epoch


def _of_width(x, y, new_x, new_y, width: int, rng: np.random.Generator):
    """Train all networks of a width from one start, with the same batches; yield their judgement.

    Weights and numbers of units bear an axis R, the 260 networks.
    """
    points = np.array(list(itertools.product(RATES, L2, DROPOUTS)), "float32")
    rate, l2, dropout = (tf.constant(column[:, None]) for column in points.T)
    R, D = len(points), x.shape[1]
    start = [rng.normal(0, np.sqrt(2 / D), (D, 1, width)), np.zeros((1, width)),
             rng.normal(0, np.sqrt(1 / width), (1, width, 10)), np.zeros((1, 1, 10))]  # fmt: skip
    shapes = (D, R, width), (R, width), (R, width, 10), (R, 1, 10)
    weights = [tf.Variable(np.broadcast_to(w, s).astype("float32"))
               for w, s in zip(start, shapes, strict=True)]  # fmt: skip

    def logits(w, x, keep=1.0):
        inner = tf.reshape(x @ tf.reshape(w[0], (D, R * width)), (-1, R, width)) + w[1]
        return tf.transpose(tf.nn.relu(inner) * keep, (1, 0, 2)) @ w[2] + w[3]  # (R, N, 10)

    def cross_entropy(outputs, y):
        labels = tf.broadcast_to(y, (R, len(y)))
        return tf.nn.sparse_softmax_cross_entropy_with_logits(labels, outputs)

    def losses(w, x, y, noise):
        keep = tf.where(noise[:, None] >= dropout, 1 / (1 - dropout), 0.0)
        squares = tf.reduce_sum(w[0] ** 2, (0, 2)) + tf.reduce_sum(w[2] ** 2, (1, 2))
        fit = tf.reduce_mean(cross_entropy(logits(w, x, keep), y), axis=1)
        return tf.reduce_sum(fit + l2[:, 0] * squares)

    @tf.function(reduce_retracing=True)
    def judge(x, y):
        outputs = logits(weights, x)
        return cross_entropy(outputs, y), tf.argmax(outputs, -1, tf.int32) != y

    epoch = _updates(weights, [rate, rate, rate[..., None], rate[..., None]], x, losses)
    for number in range(1, EPOCHS[-1] + 1):
        order = rng.permutation(len(x)).reshape(-1, BATCH)
        noise = rng.random((*order.shape, width), dtype="float32")
        epoch(tf.constant(x[order]), tf.constant(y[order]), tf.constant(noise))
        if number in EPOCHS:
            cut = zip(np.array_split(new_x, 4), np.array_split(new_y, 4), strict=True)
            parts = [judge(*part) for part in cut]  # at once they would fill the memory
            yield [np.concatenate(part, axis=1) for part in zip(*parts, strict=True)]


def every_network(
    x: np.ndarray, y: np.ndarray, new_x: np.ndarray, new_y: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Train a network with every setting of the space, side by side, and judge it on new rows.

    A hidden layer of ReLUs, Adam, batches of 30, 32 epochs. Networks of one width start alike and
    see the same batches, so that they differ by their settings alone.

    Parameters
    ----------
    x, y : array, shapes (N, D) and (N,)
        What they learn from: N is a multiple of 30. Classes 0 to 9.
    new_x, new_y : array, shapes (M, D) and (M,)
        What they are judged by.
    rng : numpy.random.Generator
        Of starts, batches and dropout.

    Returns
    -------
    losses : array of float32, shape (6, 1300, M)
        Log loss at each new row after each of `EPOCHS`, in nats.
    wrong : array of bool, shape (1300, M)
        Whether the class named after the last epoch is wrong.
    """
    y, new_y = y.astype("int32"), new_y.astype("int32")
    losses = np.empty((len(EPOCHS), *SHAPE, len(new_x)), "float32")
    wrong = np.empty((*SHAPE, len(new_x)), bool)
    bar = {"desc": "1,300 networks", "leave": False, "delay": 1}
    for i, width in enumerate(tqdm(WIDTHS, **bar)):
        for e, (loss, is_wrong) in enumerate(_of_width(x, y, new_x, new_y, width, rng)):
            losses[e, :, i] = loss.reshape(len(RATES), len(L2), len(DROPOUTS), -1)
            wrong[:, i] = is_wrong.reshape(len(RATES), len(L2), len(DROPOUTS), -1)
    return losses.reshape(len(EPOCHS), SIZE, -1), wrong.reshape(SIZE, -1)


def numbers(places: np.ndarray) -> np.ndarray:
    """Number the settings at places (..., 4) of the grid: 0 to 1299, shape (...,)."""
    return np.ravel_multi_index(np.moveaxis(np.asarray(places), -1, 0), SHAPE)


def grid(levels: Sequence[int], rng: np.random.Generator) -> np.ndarray:
    """Choose equally spaced levels of each setting, shifted at random; all pairs, shuffled.

    Parameters
    ----------
    levels : sequence of 4 int
        How many of each.
    rng : numpy.random.Generator

    Returns
    -------
    array of int
        Numbers of the settings, in random order.
    """
    axes = [
        np.floor((np.arange(n) + rng.random()) * size / n).astype(int)
        for n, size in zip(levels, SHAPE, strict=True)
    ]
    return rng.permutation(numbers(np.array(list(itertools.product(*axes)))))


def coarse_to_fine(score: np.ndarray, budget: int, rng: np.random.Generator) -> np.ndarray:
    """Try half of the budget at random, the rest in a box around the three best.

    Parameters
    ----------
    score : array, shape (1300,)
        What a trial says.
    budget : int
        Number of trials.
    rng : numpy.random.Generator

    Returns
    -------
    array of int, shape (budget,)
        Numbers of the settings, in order.
    """
    coarse = rng.permutation(SIZE)[: budget // 2]
    best = PLACES[coarse[np.argsort(score[coarse])[:3]]]
    is_near = (best.min(axis=0) - 1 <= PLACES) & (best.max(axis=0) + 1 >= PLACES)
    near = np.setdiff1d(np.flatnonzero(is_near.all(axis=1)), coarse)
    return np.concatenate([coarse, rng.permutation(near)[: budget - len(coarse)]])


def tpe(score: np.ndarray, trials: int, rng: np.random.Generator, useless: int = 0) -> list[int]:
    """Let Optuna's TPE choose settings by their scores (1300,).

    Parameters
    ----------
    score : array, shape (1300,)
        What a trial says.
    trials : int
    rng : numpy.random.Generator
    useless : int
        Number of further settings, of five values each, that change nothing.

    Returns
    -------
    list of int
        Numbers of the settings, in order; one may come twice.
    """
    sampler = optuna.samplers.TPESampler(seed=int(rng.integers(2**31)))
    study, tried = optuna.create_study(sampler=sampler), []
    for _ in range(trials):
        trial = study.ask()
        place = [trial.suggest_int(f"{d}", 0, size - 1) for d, size in enumerate(SHAPE)]
        for d in range(useless):
            trial.suggest_int(f"useless {d}", 0, 4)
        tried.append(int(numbers(place)))
        study.tell(trial, score[tried[-1]])
    return tried


def draw_scores(ax: Axes, scores: np.ndarray) -> None:
    """Draw what 30 rows say of each of the 1,300 networks (1300,), and ask about the smallest."""
    ax.hist(np.log10(scores), bins=40, color="0.6")
    best = np.log10(scores.min())
    text = f"the best says {scores.min():.2f}\nwhat is it really?"
    arrow = {"arrowstyle": "->", "color": "C3", "lw": 2}
    ax.annotate(text, (best, 2), (best, 60), arrowprops=arrow, color="C3", fontsize=18)
    ticks = np.array([0.05, 0.1, 0.2, 0.5, 1, 2, 5])
    ax.set_xticks(np.log10(ticks), [f"{tick:g}" for tick in ticks])
    ax.set(xlabel="log loss on 30 rows (nats)", ylabel="networks", xlim=(-1.4, 0.8))


def draw_winners(ax: Axes, trials: Sequence[int], found: dict[int, tuple]) -> None:
    """Draw what winners say and are, for each number of rows, against the trials."""
    for i, (rows, (says, is_)) in enumerate(found.items()):
        ax.plot(trials, np.mean(is_, axis=0), f"C{i}-o", label=f"is, chosen by {rows} rows")
        ax.plot(trials, np.mean(says, axis=0), f"C{i}--", label=f"says, by {rows} rows")
    ax.set(xscale="log", ylim=(0, 0.45), xlabel="trials", ylabel="log loss of the winner (nats)")
    ax.set_xticks(trials, [str(k) for k in trials])
    ax.minorticks_off()
    ax.legend(ncols=1, loc="center left", bbox_to_anchor=(1, 0.5))


def draw_searches(ax: Axes, curves: dict[str, np.ndarray]) -> None:
    """Draw the true loss above the best one against trials, for each search."""
    for name, curve in curves.items():
        style = {"color": COLOURS[name], "linestyle": "--" if name in ("random", "grid") else "-"}
        ax.plot(np.arange(1, len(curve) + 1), curve, label=name, **style)
    ax.set(yscale="log", xlabel="trials", ylabel="true loss above the best (nats)", xlim=(1, None))
    ax.set_yticks([0.02, 0.05, 0.1, 0.2, 0.5, 1], ["0.02", "0.05", "0.1", "0.2", "0.5", "1"])
    ax.minorticks_off()
    ax.legend(loc="center left", bbox_to_anchor=(1, 0.5))


def draw_promise(axes: Sequence[Axes], loss: np.ndarray, belief: Callable, promise: Callable):
    """Draw what four tried rates let one believe of the others, and the promise of each.

    Parameters
    ----------
    axes : two Axes
    loss : array, shape (1300, M)
        The other settings are those in the middle.
    belief : callable
        ``belief(s, among, to)`` as in the lesson, by squared distances.
    promise : callable
        ``promise(mu, tau, best)`` as in the lesson.
    """
    fine, place = np.linspace(0, 1, 201), np.tile(np.array(SHAPE) // 2, (len(RATES), 1))
    place[:, 0] = np.arange(len(RATES))
    scores = np.log(loss[numbers(place)].mean(axis=1))
    at, tried = np.linspace(0, 1, len(RATES)), [1, 5, 9, 11]
    mean, spread = scores[tried].mean(), scores[tried].std()
    s, x = (scores[tried] - mean) / spread, at[tried][:, None]
    mu, tau = belief(s, (x - x.T) ** 2, (x - fine) ** 2)
    axes[0].fill_between(fine, mu - 2 * tau, mu + 2 * tau, alpha=0.2, label="μ ± 2τ")
    axes[0].plot(fine, mu, label="μ")
    axes[0].plot(at, (scores - mean) / spread, "o", color="0.7", label="not tried")
    axes[0].plot(at[tried], s, "ko", label="tried")
    gain = promise(mu, tau, s.min())
    axes[1].fill_between(fine, gain, color="C2")
    axes[1].axvline(fine[gain.argmax()], color="C3", ls="--", label="the next trial")
    axes[0].set(ylabel="score $s$")
    axes[1].set(ylabel="promise", xlabel="learning rate")
    axes[1].set_xticks(np.linspace(0, 1, 5), ["0.0001", "0.001", "0.01", "0.1", "1"])
    for ax in axes:
        ax.legend(loc="center left", bbox_to_anchor=(1, 0.5))


def draw_curves(rows: int, kind: str, trials: Sequence[int], found: tuple) -> plt.Figure:
    """Draw for the explorer what winners say and are, by so many rows."""
    fig, ax = plt.subplots(figsize=(8, 4.2))
    for values, style, name in zip(found, ("C0--", "C3-o"), ("says", "is"), strict=True):
        ax.plot(trials, np.mean(values, axis=0), style, label=f"what the winner {name}")
    ax.set(xscale="log", ylim=(0, None), xlabel="trials", ylabel=kind, title=f"{rows} rows")
    ax.set_xticks(trials, [str(k) for k in trials])
    ax.minorticks_off()
    ax.legend()
    return fig
