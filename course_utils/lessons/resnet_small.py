"""The small networks of the lesson `resnet`: all weights of one lie in one vector. And its figures.

A network of 6 n + 2 layers is a first 3 × 3 convolution, three stages of n blocks with 8, 16 and 32
filters, two convolutions each, and a dense layer for the mean over all pixels. Each convolution
is followed by a gamma and a beta for each filter.
"""

from collections.abc import Callable, Sequence
from functools import wraps
from itertools import pairwise

import numpy as np
import pandas as pd
import tensorflow as tf
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure

from course_utils.lessons.resnet import blocks

FILTERS = (8, 16, 32)  # of the three stages
CLASSES = 10
_NATS = (0.01, 0.03, 0.1, 0.3, 1, 3, 10)  # ticks of axes of losses
_STYLE = {"plain": ("C0", "-"), "residual": ("C1", "--")}

# Alternative texts of figures that answer a prediction.
TEXTS = {
    "curves": "Training loss by pass on a logarithmic axis. Plain networks: the more layers, the "
    "higher the loss, and with 56 layers it stays near guessing. Residual networks: all three fall "
    "far below guessing.",
    "gradients": "Norm of the weights' gradient by layer. Without normalisation both networks are "
    "level, the plain one at a tiny value, the residual one at a large one. With normalisation it "
    "grows steeply towards the first layer in the plain network, and little in the residual one.",
    "deleted": "Share of digits named rightly after one block is left out, for each block. The "
    "residual networks lose little, and most of it without their first block. The plain one loses "
    "most of its digits, whichever block is left out.",
    "landscapes": "Four maps of the loss in one colour scale, and beside them the loss along one "
    "line, plain and residual on one axis. With 20 layers both lie in a valley, and that of the "
    "residual network is deeper. With 56 layers the residual network lies in a valley, the plain "
    "one on a high plateau. Enlarged, the plateau is a shallow dip with ripples.",
}


def shapes(depth: int) -> list[tuple[int, ...]]:
    """Return the shapes of all parts of the weights, in the order in which the vector holds them.

    For each convolution the kernel (3, 3, before, after), gamma and beta (after,); then the dense
    layer's weights (32, 10) and bias (10,).

    Raises
    ------
    ValueError
        If the depth is not 6 n + 2.
    """
    channels = [1, FILTERS[0]] + [f for f in FILTERS for _ in range(2 * blocks(depth))]
    each: list[tuple[int, ...]] = []
    for before, after in pairwise(channels):
        each += [(3, 3, before, after), (after,), (after,)]
    return [*each, (FILTERS[-1], CLASSES), (CLASSES,)]


def parts(w: tf.Tensor, depth: int) -> list[tf.Tensor]:
    """Cut a vector of weights (P,) into its parts; see `shapes`."""
    each = shapes(depth)
    pieces = tf.split(w, [int(np.prod(shape)) for shape in each])
    return [tf.reshape(piece, shape) for piece, shape in zip(pieces, each, strict=True)]


def cut(w: tf.Tensor, depth: int) -> tuple[list, list[list], list]:
    """Cut a vector of weights (P,) into first convolution, blocks and dense layer.

    Returns
    -------
    first : list of 3
        Kernel (3, 3, 1, 8), gamma (8,) and beta (8,).
    blocks : list of lists of 6
        Kernel, gamma and beta of the first convolution of each block, then of its second one.
    last : list of 2
        Weights (32, 10) and bias (10,).
    """
    every = parts(w, depth)
    return every[:3], [every[i : i + 6] for i in range(3, len(every) - 2, 6)], every[-2:]


def join(pieces: Sequence[np.ndarray]) -> np.ndarray:
    """Put parts back into one vector (P,), float32."""
    return np.concatenate([np.ravel(piece) for piece in pieces]).astype("float32")


def first_weights(depth: int, rng: np.random.Generator) -> np.ndarray:
    """Draw a start (P,): kernels of variance 2/(9 · before) (He et al. 2015), gamma 1, beta 0.

    The dense layer has variance 1/32 and bias 0.
    """
    drawn = []
    for k, shape in enumerate(shapes(depth)):
        if len(shape) == 1:
            drawn.append(np.full(shape, float(k % 3 == 1)))
        else:
            square = 2 / (9 * shape[2]) if len(shape) == 4 else 1 / shape[0]
            drawn.append(square**0.5 * rng.normal(size=shape))
    drawn[-1] = 0 * drawn[-1]
    return join(drawn)


def kernels(vector: tf.Tensor, depth: int) -> list[np.ndarray]:
    """Return the parts of a vector (P,) that belong to kernels, in the order of the layers."""
    return [part.numpy() for part in parts(vector, depth) if part.ndim == 4]


def silent_start(w: np.ndarray, depth: int) -> np.ndarray:
    """Return a start at which F(x) = 0: the last gamma of each block is 0."""
    every = [part.numpy() for part in parts(w, depth)]
    for i in range(3, len(every) - 2, 6):
        every[i + 4] = 0 * every[i + 4]
    return join(every)


def identity_start(w: np.ndarray, depth: int, noise: float) -> np.ndarray:
    """Return a start at which each block's convolutions nearly hand on what they get.

    The kernels shrink to `noise` times their size, and the middle of each gets a 1 from the
    channel c to the channel c (modulo the channels before).
    """
    every = [part.numpy() for part in parts(w, depth)]
    for i, part in enumerate(every):
        if part.ndim == 4 and i:
            new = np.arange(part.shape[3])
            part *= noise
            part[1, 1, new % part.shape[2], new] += 1
    return join(every)


def batch_norm(z: tf.Tensor, gamma: tf.Tensor, beta: tf.Tensor) -> tf.Tensor:
    """Return gamma (z - mean) / √(var + 0.001) + beta, of the shape of z.

    Parameters
    ----------
    z : array, shape (N, height, width, channels)
        Mean and variance of each channel are those of this batch.
    gamma, beta : array, shape (channels,)
    """
    return tf.compat.v1.nn.fused_batch_norm(z, gamma, beta, epsilon=1e-3, is_training=True)[0]


def momentum(dw: tf.Tensor, velocity: tf.Tensor = 0.0) -> tuple[tf.Tensor, list]:
    """Return the direction of a step with momentum 0.9, as in Keras, and what the next one needs.

    Parameters
    ----------
    dw : array, shape (P,)
        The gradient.
    velocity
        What the step before returned; nothing at the first one.
    """
    velocity = 0.9 * velocity + dw
    return velocity, [velocity]


def adam(
    dw: tf.Tensor, step: int = 0, m: tf.Tensor = 0.0, v: tf.Tensor = 0.0
) -> tuple[tf.Tensor, list]:
    """Return the direction of a step of Adam (Kingma and Ba 2015), and what the next one needs.

    β₁ = 0.9, β₂ = 0.999, ε = 1e-7, as in Keras.

    Parameters
    ----------
    dw : array, shape (P,)
        The gradient.
    step, m, v
        What the step before returned; nothing at the first one.
    """
    step, m, v = step + 1, 0.9 * m + 0.1 * dw, 0.999 * v + 0.001 * dw**2
    return m / (1 - 0.9**step) / (tf.sqrt(v / (1 - 0.999**step)) + 1e-7), [step, m, v]


def translated(branch: Callable) -> Callable:
    """Have TensorFlow translate branch(x, block, *how) once for all blocks of one shape.

    The graph of 56 layers is then written down in a fraction of the time. Used as a decorator.
    """
    made = {}

    @wraps(branch)
    def call(x, block, *how):
        x = tf.convert_to_tensor(x)
        key = (*x.shape, *block[0].shape, *how)
        if key not in made:
            # Concrete, so that TensorFlow does not warn about the traces for other shapes.
            function = tf.function(lambda x, *block: branch(x, block, *how), autograph=False)
            made[key] = function.get_concrete_function(
                *(tf.TensorSpec(part.shape, part.dtype) for part in (x, *block))
            )
        return made[key](x, *block)

    return call


def share_inside(side: int, stride: int = 1) -> float:
    """Return which share of a 3 × 3 convolution's neighbours is inside the picture.

    Parameters
    ----------
    side : int
        The output is side × side pixels. The padding is "same", of an even side with stride 2.
    """
    missing = 2 if stride == 1 else 1  # in each direction, of 3 · side
    return ((3 * side - missing) / (3 * side)) ** 2


def batches(rows: int, size: int, steps: int, rng: np.random.Generator) -> np.ndarray:
    """Draw mini-batches of row numbers, (steps, size); a pass visits each row at most once."""
    full = rows // size * size
    passes = [rng.permutation(rows)[:full] for _ in range(steps * size // full + 1)]
    return np.concatenate(passes).reshape(-1, size)[:steps]


def last_losses(stored: list[dict]) -> pd.DataFrame:
    """Return the last loss of every run: a row for each seed, a column for each (network, rate)."""
    runs = [{name: curve[-1] for name, curve in seed["tried"].items()} for seed in stored]
    losses = pd.DataFrame(runs)
    pairs = [name.split(", ") for name in losses]
    losses.columns = pd.MultiIndex.from_tuples([(name, float(rate)) for name, rate in pairs])
    return losses


def spread(losses: pd.DataFrame) -> pd.DataFrame:
    """Return median and range of each column: a row for each network, a column for each rate."""
    low, middle, high = losses.min(), losses.median(), losses.max()
    shown = [f"{b:.2f} ({a:.2f} to {c:.2f})" for a, b, c in zip(low, middle, high, strict=True)]
    table = pd.Series(shown, losses.columns).unstack(fill_value="")
    return table.loc[losses.columns.unique(0)].rename_axis("training loss")


def tuned(losses: pd.DataFrame) -> np.ndarray:
    """Return the loss of each seed (seeds,), at the rate that is best for the mean of the others.

    Parameters
    ----------
    losses : DataFrame
        A row for each seed, a column for each rate.
    """
    each = losses.to_numpy()
    return each[np.arange(len(each)), (each.sum(axis=0) - each).argmin(axis=1)]


def draw_cover(axes: Sequence[Axes], picture: np.ndarray) -> None:
    """Draw a picture (8, 8), fifty-six layers, and the question what the network learns."""
    axes[0].imshow(picture, cmap="gray_r")
    axes[1].vlines(range(56), 0, 1, color="C0", lw=4)
    for k in range(0, 54, 2):
        turn = np.linspace(0, np.pi, 20)
        axes[1].plot(k + 1 - np.cos(turn), 1 + 0.25 * np.sin(turn), color="C1", lw=1.5)
    axes[1].text(61, 0.5, "?", fontsize=60, color="C3", ha="center", va="center")
    axes[1].set(xlim=(-2, 65), ylim=(-0.05, 1.35))
    for ax in axes:
        ax.set_axis_off()


def draw_curves(axes: Sequence[Axes], curves: dict[tuple[str, int], np.ndarray]) -> None:
    """Draw the training loss by pass, a panel for each kind, a line for each depth."""
    for ax, kind in zip(axes, _STYLE, strict=True):
        each = {depth: curve for (name, depth), curve in curves.items() if name == kind}
        for (depth, curve), style in zip(each.items(), (":", "--", "-"), strict=False):
            ax.semilogy(1 + np.arange(len(curve)), curve, f"o{style}", label=f"{depth} layers",
                        color=_STYLE[kind][0])  # fmt: skip
        ax.axhline(np.log(CLASSES), color="0.6", lw=1)
        ax.set(title=kind, xlabel="pass through the training digits")
        ax.set_xticks(range(1, 1 + max(map(len, each.values()))))
        ax.legend(fontsize=13)
        ax.text(len(curve), 1.12 * np.log(CLASSES), "guessing", fontsize=12, ha="right")
    axes[0].set_ylabel("training loss (nats)")
    _plain_ticks(axes[0])


def draw_gradients(axes: Sequence[Axes], norms: dict[tuple[str, str], np.ndarray]) -> None:
    """Draw the norm of the weights' gradient (starts, layers): a panel for each normalisation."""
    for ax, how in zip(axes, dict.fromkeys(how for _, how in norms), strict=True):
        for kind, (color, style) in _STYLE.items():
            lines = np.array(norms[kind, how])
            numbers = 2 + np.arange(lines.shape[1])
            ax.semilogy(numbers, lines.T, color=color, lw=0.6, alpha=0.5)
            ax.semilogy(numbers, np.median(lines, axis=0), style, color=color, label=kind)
        ax.set(title=how, xlabel="layer")
        ax.legend(fontsize=13)
    axes[0].set_ylabel("norm of the gradient of the weights")


def draw_deleted(ax: Axes, left: dict[str, np.ndarray], whole: dict[str, float]) -> None:
    """Draw the share named rightly after each block is left out, by the block's place, 0 to 1."""
    for (name, share), marker in zip(left.items(), "osX", strict=False):
        place = np.linspace(0, 1, len(share))
        color = _STYLE[name.split()[0]][0]
        fill = "none" if name == "residual 20" else "full"
        ax.plot(place, share, marker, ms=9, mew=2, fillstyle=fill, color=color, ls="", label=name)
        ax.axhline(whole[name], color=color, lw=0.8, ls=":")
    ax.plot([], [], ":", color="0.4", label="with all blocks")
    ax.axhline(1 / CLASSES, color="0.6", lw=1)
    ax.text(0.53, 0.115, "guessing", fontsize=12)
    ax.set(xlabel="place of the block: 0 is the first, 1 the last", ylim=(0, 1.04))
    ax.set_ylabel("named rightly without it")
    ax.legend(fontsize=13, loc="center left", bbox_to_anchor=(1, 0.5))


def draw_landscapes(
    figure: Figure, places: np.ndarray, surfaces: dict[tuple[str, int], np.ndarray]
) -> None:
    """Draw four maps (points, points) in one colour scale, and the middle lines on one loss axis.

    The plain line of the deepest networks is drawn once more, small, on a linear axis of its own.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
    places : array, shape (points,)
        Steps along each direction.
    surfaces : dict of array
        By kind and depth: the depths are rows.
    """
    depths = list(dict.fromkeys(depth for _, depth in surfaces))
    figure.set_layout_engine("constrained")
    axes = figure.subplots(len(depths), 3, width_ratios=[1, 1, 1.5])
    every = np.concatenate([np.ravel(surface) for surface in surfaces.values()])
    levels = np.geomspace(every.min(), every.max(), 25)
    ticks = [t for t in _NATS if every.min() <= t <= every.max()]
    for row, depth in zip(axes, depths, strict=True):
        for ax, (kind, (color, style)) in zip(row, _STYLE.items(), strict=False):
            surface = surfaces[kind, depth]
            shown = ax.contourf(places, places, surface, levels, norm=LogNorm(), cmap="viridis")
            ax.contour(places, places, surface, levels, colors="white", linewidths=0.5)
            ax.plot(0, 0, "X", color="C3", ms=12, mec="white")
            ax.set(title=f"{kind}, {depth} layers", xlabel="a", ylabel="b", aspect="equal")
            ax.set(xticks=(-1, 0, 1), yticks=(-1, 0, 1))
            middle = surface[len(places) // 2]
            row[2].semilogy(places, middle, style, color=color, lw=3, label=kind)
        row[2].axhline(np.log(CLASSES), color="0.6", lw=1)
        row[2].set(title=f"along b = 0, {depth} layers", xlabel="a", ylabel="loss (nats)")
        row[2].set(ylim=(every.min() / 1.3, every.max() * 1.3), xticks=(-1, 0, 1))
        _plain_ticks(row[2], ticks)
    axes[0, 2].legend(fontsize=14, loc="lower left")
    axes[0, 2].text(0, 1.12 * np.log(CLASSES), "guessing", fontsize=12, ha="center")
    bar = figure.colorbar(shown, ax=axes[:, 1], shrink=0.8, ticks=ticks, label="loss (nats)")
    bar.ax.set_yticklabels([f"{tick:g}" for tick in ticks])
    inset = axes[-1, 2].inset_axes((0.73, 0.1, 0.26, 0.36))
    inset.plot(places, surfaces["plain", depths[-1]][len(places) // 2], color=_STYLE["plain"][0])
    inset.axhline(np.log(CLASSES), color="0.6", lw=1)
    inset.set_title("plain, enlarged", fontsize=13)
    inset.set_xticks((-1, 0, 1))
    inset.tick_params(labelsize=12)


def draw_rates(stored: list[dict], network: str) -> Figure:
    """Draw the training loss of one network by pass: a colour for each rate, a line for each seed.

    Parameters
    ----------
    stored : list of dict
        One for each seed: "tried" holds curves by "network, rate".
    network : str
        The name before the comma.
    """
    rates = sorted(
        float(n.split(", ")[1]) for n in stored[0]["tried"] if n.split(", ")[0] == network
    )
    figure = Figure(figsize=(9, 4.2), layout="constrained")
    ax = figure.subplots()
    for rate in rates:
        curves = np.transpose([seed["tried"][f"{network}, {rate}"] for seed in stored])
        color = f"C{(0.003, 0.01, 0.03, 0.1, 0.3).index(rate)}"
        lines = ax.semilogy(1 + np.arange(len(curves)), curves, color=color)
        lines[0].set_label(f"α = {rate}")
    ax.set(xlabel="pass through the training digits", ylabel="training loss (nats)", title=network)
    ax.set_ylim(0.01, 12)
    ax.set_xticks(np.unique(np.linspace(1, len(curves), 5).round()))
    _plain_ticks(ax)
    ax.legend(fontsize=13, loc="center left", bbox_to_anchor=(1, 0.5))
    return figure


def _plain_ticks(ax: Axes, ticks: Sequence[float] = ()) -> None:
    """Label a logarithmic axis of losses with numbers as one says them."""
    low, high = ax.get_ylim()
    ax.set_yticks(ticks or [t for t in _NATS if low <= t <= high])
    ax.yaxis.set_major_formatter("{x:g}")
    ax.minorticks_off()
