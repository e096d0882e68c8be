"""The published masked autoregressive flow for two moons, rebuilt from its description.

HROlive, *Introduction to Bayesian Statistical Learning*, "Day 5/flows.ipynb": three masked
autoregressive layers, a permutation after each, its base, its loss, its optimiser, its batches and
its epochs, a step per call. It needs legacy Keras and so is a process of its own. The points are
not standardised there, so that densities are those of raw coordinates, in nats.

Where a start ends after ten epochs is largely luck: of several starts the middle one counts, and
the middle one of their times, building and compiling included.
"""

import time

import numpy as np
import tensorflow_probability as tfp
import tf_keras
from tqdm import trange

tfb, tfd = tfp.bijectors, tfp.distributions

LAYERS, UNITS, BATCH, LEARNING_RATE, EPOCHS = 3, [128, 128], 32, 1e-3, 10
STARTS = 5


def build() -> tf_keras.Model:
    """Compile the flow: for points of shape (N, 2) their log-densities of shape (N,)."""
    steps = []
    for _ in range(LAYERS):
        network = tfb.AutoregressiveNetwork(params=2, hidden_units=UNITS, activation="relu")
        steps += [tfb.MaskedAutoregressiveFlow(network), tfb.Permute([1, 0])]
    base = tfd.MultivariateNormalDiag([0.0, 0.0])
    flow = tfd.TransformedDistribution(base, tfb.Chain(steps))
    x = tf_keras.Input((2,))
    model = tf_keras.Model(x, flow.log_prob(x))
    model.compile(tf_keras.optimizers.Adam(LEARNING_RATE), loss=lambda _, log_prob: -log_prob)
    return model


def figures(given: dict) -> dict:
    """Train on ``moons_train``, of shape (N, 2), and score on ``moons_test``, of shape (M, 2)."""
    train, test = np.array(given["moons_train"]), np.array(given["moons_test"])
    labels = np.zeros(len(train))  # legacy Keras asks for some, the loss ignores them
    scores, seconds = [], []
    for seed in trange(STARTS, desc="published flow", leave=False):
        tf_keras.utils.set_random_seed(seed)
        start = time.perf_counter()
        flow = build()
        flow.fit(train, labels, BATCH, EPOCHS, verbose=0)
        seconds.append(time.perf_counter() - start)
        scores.append(-flow.predict_on_batch(test))
    middle = np.argsort(np.mean(scores, axis=1))[STARTS // 2]
    return {"flow_nll": scores[middle], "flow_seconds": np.median(seconds)}
