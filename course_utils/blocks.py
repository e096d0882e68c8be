"""Blocks of two convolutions, many in a row, for deep networks that are built in seconds.

A network of 56 layers made of Keras's own layers takes most of its time before the first step: each
layer is made, called and traced by itself. Here one piece of graph is traced once and called for
every block.
"""

from collections.abc import Callable
from numbers import Integral

import keras
import tensorflow as tf

_EPSILON = 1e-3  # added to the variances, as Keras does


@tf.function(autograph=False)
def _branch(x, training, kernel, *norm):
    """Compute h of one block, and means and variances over the batch, both (2, F)."""
    pixels = tf.cast(tf.size(x[..., 0]), x.dtype)
    moments = []
    for i in range(2):
        x = tf.nn.conv2d(tf.nn.relu(x) if i else x, kernel[i], 1, "SAME")
        if norm:
            gamma, beta, mean, variance = norm
            known = () if training else (mean[i], variance[i])
            x, m, v = tf.compat.v1.nn.fused_batch_norm(
                x, gamma[i], beta[i], *known, epsilon=_EPSILON, is_training=training
            )
            # TensorFlow answers with the sum over N - 1, Keras keeps the sum over N.
            moments.append((m, v * (1 - 1 / pixels)))
    return x, *(tf.stack(rows) for rows in zip(*moments, strict=True))


class Blocks(keras.Layer):
    """A row of n blocks of one shape: x = join(x, h), where h is what two convolutions make of x.

    h = norm(conv(relu(norm(conv(x))))), with 3 × 3 convolutions without bias, zeros beyond the
    edge, and batch normalisation as in `keras.layers.BatchNormalization`. The same network in Keras
    layers with the same weights answers the same, to rounding. A layer with ``trainable = False``
    normalises with the moving averages and leaves them as they are, also in training, as Keras's
    does.

    Parameters
    ----------
    n : int
        Number of blocks; with 0 the layer answers with its input.
    filters : int
        Channels F of the images, which stay the same from block to block.
    join : callable
        Takes x and h, both tensors (N, H, W, F), and returns the next x, of the same shape: for
        instance ``relu(h)``, or with a shortcut ``relu(x + h)``.
    normalise : bool
        False leaves the batch normalisation out, with its weights.
    momentum : float
        Weight of the old value in the moving averages of means and variances, below 1.

    Attributes
    ----------
    kernel : variable, shape (n, 2, 3, 3, F, F)
        Of all convolutions. Starts normal with variance 2 / (9 F): He et al. (2015), *Delving Deep
        into Rectifiers*, arXiv:1502.01852, equation 10.
    gamma, beta : variable, shape (n, 2, F)
        Scale and shift after each normalisation; start as 1 and 0.
    mean, variance : variable, shape (n, 2, F)
        Moving averages, which are not trained.

    Raises
    ------
    ValueError
        If n, filters or momentum are out of their range, or join cannot be called; when it is
        called, if the images do not have F channels or join returns another shape.
    """

    def __init__(
        self,
        n: int,
        filters: int,
        join: Callable[[tf.Tensor, tf.Tensor], tf.Tensor],
        normalise: bool = True,
        momentum: float = 0.9,
    ) -> None:
        super().__init__()
        if not isinstance(n, Integral) or n < 0:
            raise ValueError(f"n={n!r} is no number of blocks: a whole number from 0 on is needed.")
        if not isinstance(filters, Integral) or filters < 1:
            raise ValueError(
                f"filters={filters!r} is no number of channels: a whole number from 1 on is needed."
            )
        if not callable(join):
            raise ValueError(
                f"join={join!r} cannot be called: give a function of x and h that returns the next "
                "x, such as lambda x, h: tf.nn.relu(x + h)."
            )
        if not 0 <= momentum < 1:
            raise ValueError(f"momentum={momentum!r} must be at least 0 and below 1.")
        self.n, self.filters, self.join = n, filters, join
        self.normalise, self.momentum = normalise, momentum
        if n:  # no weights without blocks: an optimiser would miss their gradients
            self._make_weights()
        self.built = True

    def _make_weights(self) -> None:
        filters, shape = self.filters, (self.n, 2, self.filters)
        he = keras.initializers.RandomNormal(stddev=(2 / (9 * filters)) ** 0.5)
        self.kernel = self.add_weight((self.n, 2, 3, 3, filters, filters), he, name="kernel")
        if self.normalise:
            self.gamma = self.add_weight(shape, "ones", name="gamma")
            self.beta = self.add_weight(shape, "zeros", name="beta")
            self.mean = self.add_weight(shape, "zeros", trainable=False, name="mean")
            self.variance = self.add_weight(shape, "ones", trainable=False, name="variance")

    def call(self, x: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Return the output of the last block, as `outputs` does those of all."""
        return [x, *self.outputs(x, training)][-1]

    def outputs(self, x: tf.Tensor, training: bool = False) -> list[tf.Tensor]:
        """Return the outputs of all n blocks.

        Parameters
        ----------
        x : tensor, shape (N, H, W, F)
            Images, or what other layers made of them.
        training : bool
            Normalise with means and variances of this batch, and let the moving averages follow
            them; otherwise normalise with the moving averages.

        Returns
        -------
        list of n tensors, each of shape (N, H, W, F)
        """
        x = keras.ops.convert_to_tensor(x, self.compute_dtype)
        if len(x.shape) != 4 or x.shape[-1] != self.filters:
            raise ValueError(
                f"The blocks have {self.filters} filters and take images of shape "
                f"(N, H, W, {self.filters}), but x has shape {tuple(x.shape)}: a convolution with "
                f"{self.filters} filters before the first block makes them fit."
            )
        if not self.n:
            return []
        training = bool(training) and self.trainable
        weights = [self.kernel]
        if self.normalise:
            weights += [self.gamma, self.beta, self.mean, self.variance]
        rows = list(zip(*map(tf.unstack, weights), strict=True))
        # Concrete, so that TensorFlow does not warn about the traces for other shapes.
        branch = _branch.get_concrete_function(x, training, *rows[0])
        outputs, moments = [], []
        for block in rows:
            h, *batch = branch(x, training, *block)
            x = self._joined(x, h)
            outputs.append(x)
            moments.append(batch)
        if training and self.normalise:
            means, variances = zip(*moments, strict=True)
            for average, new in ((self.mean, means), (self.variance, variances)):
                average.assign(self.momentum * average + (1 - self.momentum) * tf.stack(new))
        return outputs

    def _joined(self, x: tf.Tensor, h: tf.Tensor) -> tf.Tensor:
        joined = self.join(x, h)
        shape = getattr(joined, "shape", None)
        if shape != x.shape:
            answer = f"an array of shape {tuple(shape)}" if shape is not None else repr(joined)
            raise ValueError(
                f"join(x, h) returned {answer}, but the next block needs the shape of x, "
                f"{tuple(x.shape)}: let join keep it."
            )
        return joined
