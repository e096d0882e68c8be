"""The published Bayesian network for Wine Quality, rebuilt from its description.

K. Salama, *Probabilistic Bayesian Neural Networks*, keras.io/examples, 2021: the probabilistic
network of its third experiment, with its sizes, optimiser and epochs. It needs legacy Keras and so
is a process of its own. What costs time or accuracy and is no part of the network is replaced:
arrays in memory and an epoch in one call (twice as fast as batch by batch), no validation while
training, and scores of the mixture over weight samples instead of one sample.
"""

import time

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp
import tf_keras
from tqdm import tqdm

from course_utils import data, metrics

UNITS, BATCH, LEARNING_RATE, EPOCHS = (8, 8), 256, 1e-3, 1000
SAMPLES = 100  # K, weight samples that a prediction mixes


def prior(kernel_size: int, bias_size: int, dtype: tf.DType):
    """Standard normal, fixed."""
    n = kernel_size + bias_size
    return lambda _: tfp.distributions.MultivariateNormalDiag(tf.zeros(n, dtype), tf.ones(n, dtype))


def posterior(kernel_size: int, bias_size: int, dtype: tf.DType) -> tf_keras.Model:
    """Normal with a trainable mean and a full trainable covariance."""
    normal = tfp.layers.MultivariateNormalTriL
    n = kernel_size + bias_size
    parameters = tfp.layers.VariableLayer(normal.params_size(n), dtype=dtype)
    return tf_keras.Sequential([parameters, normal(n)])


def build(n_train: int, n_inputs: int) -> tf_keras.Model:
    """Compile the network: for each wine a normal distribution of its quality."""
    model = tf_keras.Sequential([tf_keras.Input((n_inputs,)), tf_keras.layers.BatchNormalization()])
    for units in UNITS:
        model.add(
            tfp.layers.DenseVariational(
                units, posterior, prior, kl_weight=1 / n_train, activation="sigmoid"
            )
        )
    model.add(tf_keras.layers.Dense(2))
    model.add(tfp.layers.IndependentNormal(1))
    model.compile(
        tf_keras.optimizers.RMSprop(LEARNING_RATE),
        loss=lambda y, predicted: -predicted.log_prob(y),
        steps_per_execution=-(-n_train // BATCH),
    )
    return model


def predict(model: tf_keras.Model, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation that each weight sample predicts, both of shape (K, N)."""

    @tf.function
    def one_sample():
        predicted = model(x, training=False)
        return predicted.mean()[:, 0], predicted.stddev()[:, 0]

    samples = [one_sample() for _ in range(SAMPLES)]
    mu, sigma = (np.stack(values) for values in zip(*samples, strict=True))
    return mu, sigma


def figures(given: dict) -> dict:
    """Train a network on each of ``quality_splits`` and score it on the split's held-out rows."""
    wines = data.load_wine_quality("white")
    x, y = wines.x, wines.y
    nll, rmse, seconds = [], [], 0.0
    for seed, (train, test) in enumerate(tqdm(given["quality_splits"], leave=False)):
        tf_keras.utils.set_random_seed(seed)
        model, ends = build(len(train), x.shape[1]), []
        clock = tf_keras.callbacks.LambdaCallback(
            on_epoch_end=lambda *_, ends=ends: ends.append(time.perf_counter())
        )
        start = time.perf_counter()
        model.fit(x[train], y[train, None], BATCH, EPOCHS, verbose=0, callbacks=[clock])
        # The lesson trains its networks side by side and compiles once: so does the peer.
        seconds += ends[-1] - (start if seed == 0 else ends[0])
        mu, sigma = predict(model, x[test])
        nll.append(metrics.gaussian_nll(y[test], mu, sigma).mean())
        rmse.append(metrics.rmse(y[test], mu))
    return {"quality_nll": nll, "quality_rmse": rmse, "quality_seconds": seconds}
