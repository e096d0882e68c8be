"""tools/bench.py on small lessons, and the lessons' peers on small problems."""

import json
import subprocess
import sys
import time
from types import SimpleNamespace

import keras
import nbformat
import numpy as np
import pytest
import tensorflow as tf
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from scipy.stats import bernoulli, norm

import bench
import notebooks
from peers import flows, var_mod

PEER = """\
import json, sys

given = json.load(sys.stdin)
print(f"{len(given)} variables", file=sys.stderr)
rows = [len(train) for train, test in given["splits"]]
json.dump({"nll": [1.0 * n for n in rows], "train_seconds": 60.0}, sys.stdout)
"""
VARIABLES = """\
import numpy as np
splits = [(np.arange(n), np.arange(9)) for n in (2, 3, 4)]
nll, train_seconds = np.array([1.5, 2.4, 3.6]), 3.0
"""
# Runs in a process of its own, since the peer loads legacy Keras.
TRY_PEER = """\
import json
import numpy as np
import tensorflow as tf
from peers import bayesian_neural_networks_wine as peer

peer.EPOCHS, peer.SAMPLES = 2, 4
rng = np.random.default_rng(0)
x = rng.normal(size=(300, 11)).astype("float32")
y = rng.normal(6, 1, size=300).astype("float32")
train, test = list(range(250)), list(range(250, 300))
seen, predict = [], peer.predict


def seen_predict(model, x):
    seen.extend([x, *predict(model, x)])
    return seen[1:]


peer.predict = seen_predict
result = {"figures": peer.figures(x, y, [(train, test)])}
result["held_out"] = np.array_equal(seen[0], x[test])
result["prediction"] = [array.tolist() for array in (y[test], *seen[1:])]
model = peer.build(1000, 11)
penalty = tf.function(lambda: (model(x), tf.add_n(model.losses))[1])
result["penalty"] = float(np.mean([penalty() for _ in range(400)]))
result["sizes"] = [int(np.prod(v.shape)) for v in model.trainable_variables]
print(json.dumps(result))
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Stands for notebooks/; of the data sets none can be had, and two lessons have a peer."""
    folder = tmp_path / "notebooks"
    folder.mkdir()
    monkeypatch.setattr(notebooks, "NOTEBOOKS", folder)
    monkeypatch.setattr(notebooks.data, "is_available", lambda name: False)
    monkeypatch.setattr(bench, "PEER_FOLDER", tmp_path)
    peer = 0.1, ("splits", "nll", "train_seconds")
    monkeypatch.setattr(bench, "PEERS", {"compared": peer, "forgetful": peer})
    (tmp_path / "compared.py").write_text(PEER)
    return folder


def write(folder, lesson, *cells):
    path = folder / f"{lesson}.ipynb"
    path.write_text(nbformat.writes(new_notebook(cells=list(cells))), encoding="utf-8")
    return path


def test_a_lesson_is_timed_and_stays_as_it_was(folder):
    stored = new_code_cell("where = 'here'", outputs=[new_output("stream", text="of the past")])
    away = {"tags": ["needs-download", "data=away"]}
    path = write(
        folder,
        "lesson",
        stored,
        new_markdown_cell("Text\n\n## Much memory\n\nfor a moment"),
        new_code_cell("many = b'x' * 300_000_000\ndel many"),
        new_code_cell("import time, pathlib\ntime.sleep(0.5)"),
        new_code_cell("assert pathlib.Path.cwd().name == 'notebooks'"),
        new_code_cell("1 / 0", metadata=away),
    )
    before = path.read_bytes()
    measured = bench.measure("lesson")
    assert path.read_bytes() == before
    assert list(measured.cells) == [
        "cell 0, where = 'here'",
        *(f"cell {index}, Much memory" for index in (2, 3, 4)),
    ]
    assert measured.cells["cell 3, Much memory"] >= 0.5
    assert measured.seconds > sum(measured.cells.values())
    assert 0.3 < measured.peak_gb < 0.7, "the high-water mark of the kernel, not of this process"
    assert measured.missing == {"away"}


def test_every_lesson_has_a_line_and_a_failing_one_a_message(folder, capfd):
    write(folder, "index", new_code_cell("1 / 0"))
    write(folder, "compared", new_code_cell(VARIABLES))
    write(folder, "forgetful", new_code_cell("splits = []"))
    write(folder, "broken", new_markdown_cell("# Division"), new_code_cell("1 / 0"))
    assert bench.main([]) == 1
    printed, errors = capfd.readouterr()
    assert "broken failed in cell 1, Division: ZeroDivisionError: division by zero" in errors
    assert "forgetful failed in its last cell's variables: NameError: name 'nll'" in errors
    assert "3 variables" in errors, "a peer's progress is seen"
    head, line, title, *rows = printed.splitlines()
    assert " ".join(head.split()) == "lesson seconds slowest cell peak memory budget"
    assert line.startswith("compared ")
    assert line.endswith(" GB      kept")
    assert title.startswith("compared beside its published peer: 3 pairs")
    figures = "nll 2.500 ± 0.608 3.000 ± 0.577 -0.500 ± 0.058 better"
    assert " ".join(rows[1].split()) == figures
    assert rows[2].startswith("train_seconds  3.00 ")
    assert rows[2].endswith(" 60.00          0.050 of the peer's  at most 0.1: kept")


def test_a_peer_without_its_data_is_left_out(folder, capsys):
    away = {"tags": ["needs-download", "data=away"]}
    write(folder, "compared", new_code_cell(VARIABLES, metadata=away))
    assert bench.main(["compared"]) == 0
    last = capsys.readouterr().out.splitlines()[-1]
    assert last == "compared: no data set away, its sections and its peer were left out"


def test_a_peer_that_needs_nothing_of_the_missing_data_runs(folder, capsys):
    away = {"tags": ["needs-download", "data=away"]}
    write(folder, "compared", new_code_cell(VARIABLES), new_code_cell("more = 1", metadata=away))
    assert bench.main(["compared"]) == 0
    _, _, note, title, *_ = capsys.readouterr().out.splitlines()
    assert note == "compared: no data set away, its sections were left out"
    assert title.startswith("compared beside its published peer")


def test_a_failing_peer_and_a_dead_kernel_are_reported(folder, capfd):
    (bench.PEER_FOLDER / "compared.py").write_text("1 / 0")
    write(folder, "compared", new_code_cell(VARIABLES))
    write(folder, "dead", new_code_cell("import os\nos._exit(1)"))
    assert bench.main([]) == 1
    printed, errors = capfd.readouterr()
    assert "ZeroDivisionError" in errors
    assert "compared failed in its peer: exit status 1" in errors
    assert "dead failed in cell 0, import os: Kernel died" in errors
    assert "compared " in printed, "its own times are printed nevertheless"


def test_an_unknown_lesson_is_refused(folder, capsys):
    write(folder, "flows")
    with pytest.raises(SystemExit):
        bench.main(["flowers"])
    assert "'flowers' (choose from" in capsys.readouterr().err


def test_the_table_says_what_is_over_budget():
    slow = bench.Measured(121, {"cell 1, A": 31, "cell 2, B": 40, "cell 3, C": 30}, 1.6)
    quick = bench.Measured(120, {"cell 1, A": 2.25, "cell 4, D": 30}, 1.5)
    assert bench.table({"slow": slow, "quick": quick}) == [
        "lesson  seconds  slowest cell       peak memory  budget",
        "slow    121.0    40.0 s: cell 2, B  1.60 GB      "
        "over 120 s, a cell over 30 s, over 1.5 GB",
        "quick   120.0    30.0 s: cell 4, D  1.50 GB      kept",
        "slow: 31.0 s in cell 1, A",
        "slow: 40.0 s in cell 2, B",
    ]


@pytest.mark.parametrize(
    ("difference", "verdict"), [(-0.5, "better"), (0.5, "worse"), (0.1, "even"), (-0.1, "even")]
)
def test_figures_are_compared_in_pairs(difference, verdict):
    theirs = np.array([1.0, 5.0, 9.0])
    ours = theirs + difference + [-0.2, 0.0, 0.2]  # standard error 0.115 of the difference
    (row,) = bench.comparison("flows", {"nll": ours}, {"nll": theirs})[2:]
    assert row.endswith(f"{difference:.3f} ± 0.115  {verdict}")


@pytest.mark.parametrize(
    ("lesson", "seconds", "verdict"),
    [
        ("var_mod", 1.0, "0.100 of the peer's  at most 0.1: kept"),
        ("var_mod", 1.01, "0.101 of the peer's  at most 0.1: missed"),
        ("flows", 2.0, "0.200 of the peer's  at most 0.2: kept"),
        ("flows", 2.01, "0.201 of the peer's  at most 0.2: missed"),
    ],
)
def test_training_that_takes_longer_than_its_share_is_said(lesson, seconds, verdict):
    (row,) = bench.comparison(lesson, {"a_seconds": seconds}, {"a_seconds": 10})[2:]
    assert row.endswith(verdict)


@pytest.fixture(scope="module")
def peer():
    command = [sys.executable, "-c", TRY_PEER]
    done = subprocess.run(command, cwd=bench.PEER_FOLDER.parent, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_the_published_network_has_its_sizes(peer):
    posteriors = [n + n * (n + 1) // 2 for n in (11 * 8 + 8, 8 * 8 + 8)]
    assert sorted(peer["sizes"]) == sorted([11, 11, *posteriors, 8 * 2, 2])


def test_the_published_network_weighs_kl_by_one_over_n(peer):
    sigma = np.log(2)  # softplus(0), where every standard deviation starts; the means start at 0
    kl = (96 + 72) * (-np.log(sigma) + (sigma**2 - 1) / 2)
    # The layer estimates it by one sample: 0.25 is the standard error of the mean of 400.
    assert 1000 * peer["penalty"] == pytest.approx(kl, abs=4 * 0.25)


def test_the_published_network_is_scored_as_a_mixture(peer):
    figures = peer["figures"]
    y, mu, sigma = map(np.array, peer["prediction"])
    assert peer["held_out"]
    assert mu.shape == sigma.shape == (4, 50)
    assert (mu.std(axis=0) > 0).all(), "every prediction draws weights anew"
    nll = -np.log(norm.pdf(y, mu, sigma).mean(axis=0)).mean()
    assert figures["quality_nll"] == [pytest.approx(nll, rel=1e-4)]
    assert figures["quality_rmse"] == [pytest.approx(np.sqrt(np.mean((y - mu.mean(axis=0)) ** 2)))]
    assert 0 < figures["quality_seconds"] < 60


@pytest.fixture
def vae():
    """Published autoencoder, with weights so far from their start that every term counts."""
    vae, rng = var_mod.VAE(), np.random.default_rng(0)
    for variable in vae.trainable_variables:
        variable.assign(rng.normal(0, 0.1, variable.shape))
    return vae


@pytest.fixture
def grey():
    return np.random.default_rng(1).integers(0, 256, size=(300, 28, 28)).astype("float32")


def test_the_published_autoencoder_has_its_sizes(vae):
    convolutions = [(3, 3, 1, 32), (32,), (3, 3, 32, 64), (64,)]
    encoder = [*convolutions, (7 * 7 * 64, 16), (16,), *2 * [(16, 2), (2,)]]
    transposed = [(3, 3, 64, 64), (64,), (3, 3, 32, 64), (32,), (3, 3, 1, 32), (1,)]
    decoder = [(2, 7 * 7 * 64), (7 * 7 * 64,), *transposed]
    assert [v.shape for v in vae.encoder.trainable_variables] == encoder
    assert [v.shape for v in vae.decoder.trainable_variables] == decoder
    assert vae.decoder.output_shape == (None, 28, 28, 1)
    layers = [*vae.encoder.layers, *vae.decoder.layers]
    used = [layer.activation.__name__ for layer in layers if hasattr(layer, "activation")]
    assert used == [*3 * ["relu"], *2 * ["linear"], *3 * ["relu"], "sigmoid"]


def test_the_published_autoencoder_is_trained_on_its_elbo(vae, grey, monkeypatch):
    monkeypatch.setattr(keras.random, "normal", lambda shape, seed: 0.7 * tf.ones(shape))
    x = (grey[:10, ..., None] > 127.5).astype("float32")
    mean, log_var = (output.numpy().astype(float) for output in vae.encoder(x))
    p = vae.decoder(mean + np.sqrt(np.exp(log_var)) * 0.7).numpy()
    error = -bernoulli.logpmf(x, p).sum(axis=(1, 2, 3))
    sigma = np.exp(log_var / 2)
    grid = np.linspace(-12, 12, 4001)[:, None, None]
    q = norm.logpdf(grid, mean, sigma)
    kl = np.trapezoid(np.exp(q) * (q - norm.logpdf(grid)), grid, axis=0).sum(axis=1)
    assert kl.min() > 0.1
    assert [part.numpy() for part in vae.parts(x)] == [
        pytest.approx(error, rel=1e-4),
        pytest.approx(kl, rel=1e-3),
    ]

    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(sum(vae.parts(x)))
    gradients = tape.gradient(loss, vae.trainable_variables)
    before = [v.numpy() for v in vae.trainable_variables]
    vae.compile(optimizer=keras.optimizers.SGD(1e-3))
    logs = vae.fit(x, batch_size=10, verbose=0).history
    assert logs["loss"][0] == pytest.approx(error.mean() + kl.mean(), rel=1e-4)
    assert logs["reconstruction"][0] == pytest.approx(error.mean(), rel=1e-4)
    for variable, value, gradient in zip(vae.trainable_variables, before, gradients, strict=True):
        np.testing.assert_allclose((value - variable) / 1e-3, gradient, rtol=0.01, atol=0.1)


def test_the_published_autoencoder_is_scored_by_single_draws(vae, grey, monkeypatch):
    monkeypatch.setattr(var_mod, "DRAWS", 4)
    x = (grey[..., None] > 127.5).astype("float32")
    start = vae.noise.state.numpy()
    scores = var_mod.negative_elbo(vae, x)
    vae.noise.state.assign(start)
    draws = np.array([sum(vae.parts(x)) for _ in range(4)])
    assert (draws.std(axis=0) > 0).all(), "every score draws z anew"
    assert scores == pytest.approx(draws.mean(axis=0), rel=1e-4)


def test_the_published_autoencoder_counts_by_its_best_start(grey, monkeypatch):
    trained, scored = [], []

    def seen_fit(vae, x, epochs, batch_size, **options):
        trained.append((x, (epochs, batch_size), vae.optimizer, vae.get_weights()))
        time.sleep(len(trained) / 4)

    def seen_score(vae, x):
        scored.append(x)
        return np.arange(40) + [0.0, 7.0, 5.0, 6.0][len(scored)]

    monkeypatch.setattr(var_mod.VAE, "fit", seen_fit)
    monkeypatch.setattr(var_mod, "negative_elbo", seen_score)
    test, train = np.split(np.random.default_rng(2).permutation(300), [40])
    figures = var_mod.figures(grey, [train.tolist(), test.tolist()])
    assert len(trained) == len(scored) == 3
    for (x, how_long, optimizer, _), held_out in zip(trained, scored, strict=True):
        np.testing.assert_array_equal(x[..., 0], grey[train] >= 128)
        np.testing.assert_array_equal(held_out[..., 0], grey[test] >= 128)
        assert how_long == (30, 128)
        assert isinstance(optimizer, keras.optimizers.Adam)
        assert float(optimizer.learning_rate) == pytest.approx(1e-3)
    assert len({weights[0].sum() for *_, weights in trained}) == 3, "every start is another one"
    assert figures["vae_nelbo"] == list(range(5, 45)), "of the second start"
    assert 0.5 <= figures["vae_seconds"] < 0.75
    assert set(figures) < set(bench.PEERS["var_mod"][1])


def moved(x, weights):
    """One masked autoregressive layer from x to z, and its log-determinant, in NumPy."""
    into, b_1, between, b_2, out, b_3 = weights

    def shift_and_log_scale(x):
        h = np.maximum(np.maximum(x @ into + b_1, 0) @ between + b_2, 0)
        return (h @ out + b_3).reshape(len(x), 2, 2)

    first = shift_and_log_scale(0 * x)[:, 0]  # may depend on nothing
    second = shift_and_log_scale(x * [1, 0])[:, 1]  # may depend on the first coordinate
    shift, log_scale = np.stack([first, second], axis=1).transpose(2, 0, 1)
    return (x - shift) * np.exp(-log_scale), -log_scale.sum(axis=1)


def test_the_published_flow_is_the_density_of_three_layers_that_change_places():
    flow, rng = flows.build(), np.random.default_rng(0)
    for variable in flow.trainable_variables:
        start = variable.numpy()
        free = (start != 0) | (start.ndim == 1)  # what is masked stays 0
        variable.assign(start + 0.2 * free * rng.normal(size=start.shape))
    weights = [variable.numpy().astype(float) for variable in flow.trainable_variables]
    sizes = [(2, 128), (128,), (128, 128), (128,), (128, 4), (4,)]
    assert [array.shape for array in weights] == 3 * sizes

    points = rng.normal(size=(200, 2))
    z, log_det = points, 0
    for layer in range(3):
        z, more = moved(z, weights[6 * layer : 6 * layer + 6])
        z, log_det = z[:, ::-1], log_det + more
    log_p = norm.logpdf(z).sum(axis=1) + log_det
    assert log_det.std() > 0.1
    assert flow.predict_on_batch(points) == pytest.approx(log_p, rel=1e-3, abs=1e-3)


def test_the_published_flow_is_trained_on_its_negative_log_likelihood():
    flow = flows.build()
    assert flow.loss(0.0, -3.0) == 3.0
    assert type(flow.optimizer).__name__ == "Adam"
    assert float(flow.optimizer.learning_rate) == pytest.approx(1e-3)


def test_the_published_flow_counts_by_its_middle_start(monkeypatch):
    clock, trained, drawn = [0.0], [], []
    train, test = (np.random.default_rng(n).normal(size=(n, 2)).tolist() for n in (70, 40))

    class Flow:
        def fit(self, x, labels, batch, epochs, **options):
            trained.append((x.tolist(), len(labels), batch, epochs))
            clock[0] += [9, 1, 3, 7, 2][len(trained) - 1]

        def predict_on_batch(self, x):
            assert x.tolist() == test
            clock[0] += 1000
            return -np.arange(40) - [5.0, 9.0, np.nan, 7.0, 6.0][len(trained) - 1]

    def seen_build():
        clock[0] += 0.5
        drawn.append(np.random.uniform())
        return Flow()

    monkeypatch.setattr(flows, "build", seen_build)
    monkeypatch.setattr(flows, "time", SimpleNamespace(perf_counter=lambda: clock[0]))
    figures = flows.figures({"moons_train": train, "moons_test": test})
    assert trained == 5 * [(train, 70, 32, 10)]
    assert len(set(drawn)) == 5, "every start is another one"
    assert figures["flow_nll"] == list(range(7, 47)), "a diverged start is the worst"
    assert figures["flow_seconds"] == 3.5, "to build and to train, not to score"
    assert set(figures) < set(bench.PEERS["flows"][1])
