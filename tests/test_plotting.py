"""Figures: what is drawn, and what is stored with the notebook."""

from statistics import median

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import pytest
import seaborn as sns
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output

from course_utils import data, flows, metrics, networks, plotting


@pytest.fixture
def ax():
    figure, ax = plt.subplots()
    yield ax
    plt.close(figure)


@pytest.fixture
def shell():
    shell = InteractiveShell.instance(history_manager=None)
    yield shell
    InteractiveShell.clear_instance()


def test_the_style_is_large_and_colour_blind_safe():
    with plt.rc_context():
        plotting.set_style()
        assert plt.rcParams["font.size"] > matplotlib.rcParamsDefault["font.size"]
        first = plt.rcParams["axes.prop_cycle"].by_key()["color"][0]
        assert matplotlib.colors.to_hex(first) == "#0173b2"  # blue of seaborn's "colorblind"
        assert not plt.rcParams["axes.spines.top"]


def test_the_style_is_the_same_whatever_was_set_before():
    with plt.rc_context():
        plotting.set_style()
        expected = dict(plt.rcParams)
    with plt.rc_context({"text.usetex": True, "savefig.dpi": 20, "lines.marker": "o"}):
        sns.set_theme(style="darkgrid", palette="rocket", font="serif", rc={"image.cmap": "jet"})
        plotting.set_style()
        assert dict(plt.rcParams) == expected


def test_show_stores_one_picture_with_its_alternative_text(ax, shell):
    ax.plot([0, 1], [0, 1])
    with capture_output() as captured:
        plotting.show("A rising line.")
    (output,) = captured.outputs
    assert output.data["image/png"].startswith(b"\x89PNG")
    assert output.data["text/plain"] == "A rising line."
    assert output.metadata == {"image/png": {"alt": "A rising line."}}
    assert plt.get_fignums() == []  # or Jupyter would show the figure a second time


def test_the_band_is_the_central_interval_and_the_line_the_mean(ax):
    rng = np.random.default_rng(0)
    x = np.linspace(-1, 1, 9)
    mu, sigma = rng.normal(size=(4, 9)), rng.uniform(0.5, 2, size=(4, 9))
    plotting.predictive_band(ax, x, mu, sigma, level=0.8, color="C2", label="network")

    (line,) = ax.lines
    np.testing.assert_allclose(line.get_xydata(), np.stack([x, mu.mean(axis=0)], axis=1))
    assert (line.get_label(), line.get_color()) == ("network", "C2")

    (band,) = ax.collections
    outline = {tuple(p) for p in band.get_paths()[0].vertices.round(9)}
    lower, upper = metrics.mixture_interval(mu, sigma, 0.8)
    edges = [*zip(x, lower, strict=True), *zip(x, upper, strict=True)]
    assert outline == {tuple(p) for p in np.round(edges, 9)}
    assert matplotlib.colors.same_color(band.get_facecolor()[0, :3], "C2")


def points_and_bars(ax) -> tuple[np.ndarray, np.ndarray]:
    """Return a reliability diagram's points, (bins, 2), and the ends of its bars, (bins, 2)."""
    points = [line.get_xydata()[0] for line in ax.lines if line.get_marker() == "o"]
    bars = [line.get_ydata() for line in ax.lines if line.get_linewidth() == 9]
    return np.array(points), np.array(bars)


@pytest.mark.parametrize("bins", [4, 8])
def test_reliability_points_are_accuracy_over_confidence(ax, bins):
    confidence = np.linspace(0.05, 0.95, 240)  # in order: bins are slices
    correct = np.random.default_rng(0).random(240) < confidence
    order = np.random.default_rng(1).permutation(240)
    plotting.reliability_diagram(ax, confidence[order], correct[order], bins, "C1", "network")
    points, _ = points_and_bars(ax)
    expected = [
        (confidence[i : i + 240 // bins].mean(), correct[i : i + 240 // bins].mean())
        for i in range(0, 240, 240 // bins)
    ]
    np.testing.assert_allclose(points, expected)
    handles, labels = ax.get_legend_handles_labels()
    assert labels == ["network"] and handles[0].get_color() == "C1"


def test_reliability_points_show_what_the_calibration_error_sums_up(ax):
    rng = np.random.default_rng(0)
    confidence = rng.choice([0.6, 0.7], size=400)  # ties: both must break them alike
    correct = rng.random(400) < 0.65
    plotting.reliability_diagram(ax, confidence, correct)
    points, _ = points_and_bars(ax)
    error = metrics.expected_calibration_error(confidence, correct)
    assert abs(points[:, 0] - points[:, 1]).mean() == pytest.approx(error)


def test_reliability_bars_hold_95_percent_of_a_calibrated_classifier(ax):
    rng = np.random.default_rng(0)
    confidence = rng.uniform(0.3, 1.0, size=400)
    plotting.reliability_diagram(ax, confidence, rng.random(400) < confidence)
    points, bars = points_and_bars(ax)
    assert ((bars[:, 0] <= points[:, 0]) & (points[:, 0] <= bars[:, 1])).all()  # the diagonal

    rows = np.argsort(confidence).reshape(8, 50)
    shares = (rng.random((4000, 8, 50)) < confidence[rows]).mean(axis=2)
    inside = ((bars[:, 0] <= shares) & (shares <= bars[:, 1])).mean()
    assert 0.94 < inside < 0.99  # above 0.95: a share of 50 examples moves in steps of 0.02


def test_reliability_of_a_sure_and_wrong_classifier_lies_below_its_bars(ax):
    confidence = np.random.default_rng(0).uniform(0.8, 0.99, size=400)
    plotting.reliability_diagram(ax, confidence, np.zeros(400, bool))
    points, bars = points_and_bars(ax)
    assert (points[:, 1] < bars[:, 0]).all()


def test_reliability_of_few_examples_leaves_no_empty_bins(ax, recwarn):
    plotting.reliability_diagram(ax, [0.5, 0.9, 0.7], [True, True, False], bins=8)
    points, _ = points_and_bars(ax)
    np.testing.assert_allclose(points, [[0.5, 1], [0.7, 0], [0.9, 1]])
    assert not recwarn.list


def test_reliability_needs_one_confidence_per_answer(ax):
    with pytest.raises(ValueError, match=r"both need the same shape \(N,\)"):
        plotting.reliability_diagram(ax, np.full((3, 2), 0.5), [True] * 3)


IMAGES = np.random.default_rng(0).uniform(size=(5, 3, 4))


def test_the_images_stand_row_by_row_in_one_mosaic(ax):
    plotting.image_grid(ax, IMAGES, columns=2)
    (mosaic,) = ax.images
    empty = np.zeros((3, 4))
    expected = np.block([[IMAGES[0], IMAGES[1]], [IMAGES[2], IMAGES[3]], [IMAGES[4], empty]])
    np.testing.assert_array_equal(mosaic.get_array(), expected)
    assert mosaic.origin == "upper"
    lines = [(*line.get_xdata(), *line.get_ydata()) for line in ax.lines]
    assert lines == [(3.5, 3.5, 0, 1), (0, 1, 2.5, 2.5), (0, 1, 5.5, 5.5)]  # between the images
    assert len(ax.get_xticks()) == len(ax.get_yticks()) == 0


def test_ink_is_dark_and_paper_white_however_little_of_the_range_is_used(ax):
    plotting.image_grid(ax, np.full((1, 2, 2), 0.5), columns=1)
    (mosaic,) = ax.images
    greys = mosaic.cmap(mosaic.norm([0.0, 0.5, 1.0]))[:, 0]
    np.testing.assert_allclose(greys, [1, 0.5, 0], atol=0.01)


@pytest.mark.parametrize(
    ("images", "columns", "words"),
    [
        (IMAGES * 255, 2, r"images holds values from .* ink from 0 to 1 is expected: divide grey"),
        (IMAGES - 0.5, 2, r"images holds values from -0\.4.*apply the sigmoid to logits"),
        (IMAGES * np.nan, 2, r"images holds values from nan to nan"),
        (IMAGES[0], 2, r"shape \(3, 4\), but \(N, H, W\) .* images\[None\] for a single one"),
        (IMAGES[..., None], 2, r"shape \(5, 3, 4, 1\), but \(N, H, W\)"),
        (IMAGES[:0], 2, r"shape \(0, 3, 4\), but .* at least one image"),
        (IMAGES, 0, "columns=0 must be at least 1"),
    ],
)
def test_image_grid_says_what_is_wrong(ax, images, columns, words):
    with pytest.raises(ValueError, match=words):
        plotting.image_grid(ax, images, columns)
    assert not ax.images


@pytest.fixture(scope="module")
def digits():
    """The first two of 64 pixels' principal components, and the digits."""
    digits = data.load_digits()
    x = digits.x.reshape(-1, 64) - digits.x.reshape(-1, 64).mean(axis=0)
    return x @ np.linalg.svd(x, full_matrices=False)[2][:2].T, digits.y


def test_each_code_has_the_colour_of_its_digit(ax, digits):
    codes, labels = digits
    plotting.latent_map(ax, codes, labels)
    (points,) = ax.collections
    drawn = {tuple(point) for point in np.column_stack([points.get_offsets(), colors_of(points)])}
    palette = np.array([matplotlib.colors.to_rgb(f"C{digit}") for digit in range(10)])
    assert drawn == {tuple(row) for row in np.column_stack([codes, palette[labels]])}
    assert len(np.unique(palette, axis=0)) == 10
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("$z_1$", "$z_2$")


def colors_of(points) -> np.ndarray:
    return points.get_facecolors()[:, :3]


def test_no_digit_hides_the_others_by_being_drawn_last(ax, digits):
    codes, labels = digits
    plotting.latent_map(ax, np.sort(codes, axis=0), np.sort(labels))
    (points,) = ax.collections
    last = matplotlib.colors.to_rgb("C9")
    places = np.flatnonzero((colors_of(points) == last).all(axis=1)) / len(labels)
    assert places.min() < 0.1 and 0.4 < places.mean() < 0.6


def test_each_digit_that_occurs_is_named_at_the_median_of_its_codes(ax, digits):
    codes, labels = digits
    chosen = np.isin(labels, [1, 4, 7])
    plotting.latent_map(ax, codes[chosen], labels[chosen].astype(float))
    assert [text.get_text() for text in ax.texts] == ["1", "4", "7"]
    for text in ax.texts:
        own = codes[labels == int(text.get_text())]
        np.testing.assert_allclose(text.xy, [median(axis) for axis in own.T])
        assert text.get_path_effects()[0]._gc["foreground"] == "white"


def test_names_of_digits_never_hide_each_other(ax):
    """Nine medians on one spot, and one that has room and stays where it is."""
    codes = np.append(np.zeros((9, 2)), [[2, 3]], axis=0)
    plotting.latent_map(ax, codes, np.arange(10))
    places = np.array([text.get_position() for text in ax.texts]) / [2, 3]
    gaps = np.linalg.norm(places[:, None] - places, axis=-1)[np.triu_indices(10, 1)]
    assert gaps.min() > 0.065
    np.testing.assert_allclose(places[9], [1, 1], atol=1e-4)
    assert np.abs(places[:9]).max() < 0.25, "near their medians"


CODES, LABELS = np.random.default_rng(0).normal(size=(6, 3)), np.arange(6)


@pytest.mark.parametrize(
    ("codes", "labels", "words"),
    [
        (CODES, LABELS, r"\(6, 3\), but \(N, 2\) .* latent size of 2, or choose two of the d"),
        (CODES[:, 0], LABELS, r"codes has shape \(6,\), but \(N, 2\) is expected"),
        (CODES[:0, :2], LABELS[:0], r"codes has shape \(0, 2\), but"),
        (CODES[:, :2] * np.inf, LABELS, "codes holds values that are not finite"),
        (CODES[:, :2], LABELS[:5], r"labels has shape \(5,\), for 6 codes: one digit"),
        (CODES[:, :2], LABELS[:, None], r"labels has shape \(6, 1\), for 6 codes: one digit"),
        (CODES[:, :2], LABELS + 5, "one digit from 0 to 9 is expected for each code"),
        (CODES[:, :2], LABELS - 1, "one digit from 0 to 9 is expected for each code"),
        (CODES[:, :2], LABELS + 0.5, "one digit from 0 to 9 is expected for each code"),
    ],
)
def test_latent_map_says_what_is_wrong(ax, codes, labels, words):
    with pytest.raises(ValueError, match=words):
        plotting.latent_map(ax, codes, labels)
    assert not ax.collections


BOX = (-1.0, 3.0, 0.0, 1.0)


@pytest.mark.parametrize("shape", [(-1,), (3, 3)])
def test_a_density_stands_where_the_grid_has_its_points(ax, shape):
    points, _ = flows.grid(BOX, 3)
    values = points[:, 0] + 1 + 10 * points[:, 1]  # grows to the right, and faster upwards
    plotting.density(ax, values.reshape(shape), BOX)
    ax.figure.canvas.draw()
    (image,) = ax.images
    x, y = ax.transData.transform(points[2])
    event = matplotlib.backend_bases.MouseEvent("motion_notify_event", ax.figure.canvas, x, y)
    assert image.get_cursor_data(event) == pytest.approx(values[2])  # right, bottom
    assert (ax.get_xlim(), ax.get_ylim()) == (BOX[:2], BOX[2:])
    assert ax.get_aspect() == 1


def test_the_colours_of_a_density_run_from_white_to_dark_whatever_its_height(ax):
    plotting.density(ax, [0.5, 1, 2, 4], BOX)
    (image,) = ax.images
    greys = image.to_rgba(np.linspace(0, 4, 50))[:, :3] @ [0.3, 0.59, 0.11]
    assert greys[0] == pytest.approx(1) and greys[-1] < 0.2
    assert (np.diff(greys) < 0).all()  # so that it is read without colours as well


def test_densities_are_compared_by_asking_for_the_same_height(ax):
    plotting.density(ax, [0.5, 1, 2, 4], BOX, highest=8)
    plotting.density(ax, [0.5, 1, 2, 4], BOX)
    assert [image.get_clim() for image in ax.images] == [(0, 8), (0, 4)]


@pytest.mark.parametrize(
    ("values", "box", "words"),
    [
        (np.ones(8), BOX, r"values has shape \(8,\), but \(cells \* cells,\) or"),
        (np.ones((2, 8)), BOX, r"values has shape \(2, 8\), but .* each point of flows\.grid"),
        (np.ones((4, 1)), BOX, r"values has shape \(4, 1\)"),
        (np.ones(0), BOX, r"values has shape \(0,\)"),
        (-np.arange(4.0), BOX, r"values holds numbers from -3 to -?0, but .* take np\.exp"),
        ([1, 2, np.nan, 3], BOX, "values holds numbers from nan to nan"),
        ([1, 2, np.inf, 3], BOX, "values holds numbers from 1 to inf"),
        (np.ones(4), (3, -1, 0, 1), r"box=\(3, -1, 0, 1\) is no box"),
    ],
)
def test_density_says_what_is_wrong(ax, values, box, words):
    with pytest.raises(ValueError, match=words):
        plotting.density(ax, values, box)
    assert not ax.images


LATTICE = np.random.default_rng(0).normal(size=(3, 4, 2))


def test_rows_and_columns_of_a_lattice_are_lines(ax):
    plotting.bent_grid(ax, LATTICE)
    drawn = [line.get_xydata() for line in ax.lines]
    assert len(drawn) == 3 + 4
    np.testing.assert_array_equal(drawn[:3], LATTICE)
    np.testing.assert_array_equal(drawn[3:], LATTICE.transpose(1, 0, 2))
    assert ax.get_aspect() == 1


@pytest.mark.parametrize(
    ("points", "words"),
    [
        (LATTICE.reshape(12, 2), r"points has shape \(12, 2\), but \(R, C, 2\) .* use reshape"),
        (LATTICE[..., :1], r"points has shape \(3, 4, 1\)"),
        (LATTICE[:1], r"points has shape \(1, 4, 2\), .* at least two rows and two columns"),
        (LATTICE[:, :0], r"points has shape \(3, 0, 2\)"),
        (LATTICE * np.inf, "points holds values that are not finite"),
    ],
)
def test_bent_grid_says_what_is_wrong(ax, points, words):
    with pytest.raises(ValueError, match=words):
        plotting.bent_grid(ax, points)
    assert not ax.lines


def bowl(w):
    return 2 * (w[..., 0] - 1) ** 2 + w[..., 1] ** 2


def slanted(w):
    return w[..., 0] - 10 * w[..., 1]


@pytest.fixture
def drawn(ax):
    """Draw a surface on the axes and return its filled and its thin contours."""

    def draw(*given):
        plotting.surface(ax, *given)
        ax.figure.canvas.draw()
        return [c for c in ax.collections if isinstance(c, matplotlib.contour.ContourSet)]

    return draw


@pytest.mark.parametrize("values", [bowl, slanted, lambda w: bowl(w) - 100])
def test_contours_run_where_the_surface_has_their_height(drawn, values):
    filled, thin = drawn(values, BOX)
    found = [(level, path) for level, path in zip(thin.levels, thin.get_paths(), strict=True)]
    found = [(level, path.vertices) for level, path in found if len(path.vertices) > 1]
    assert len(found) > 8
    for level, places in found:
        np.testing.assert_allclose(values(places), level, atol=0.01)
    for low, high, band in zip(filled.levels, filled.levels[1:], filled.get_paths(), strict=False):
        heights = values(band.vertices)
        assert low - 0.01 < heights.min() and heights.max() < high + 0.01
    assert all(style == (0, None) for style in thin.get_linestyles())  # below 0 as above


def test_the_rings_of_a_bowl_are_evenly_spaced_from_light_to_dark(drawn):
    filled, thin = drawn(bowl, BOX)
    assert (filled.levels[0], filled.levels[-1]) == pytest.approx((0, 9))
    np.testing.assert_allclose(np.diff(np.sqrt(filled.levels)), 3 / 20)
    np.testing.assert_allclose(thin.levels, filled.levels[::2])
    greys = filled.get_facecolor()[:, :3] @ [0.3, 0.59, 0.11]
    assert greys[0] == pytest.approx(1) and (np.diff(greys) < 0).all()
    assert greys[-1] > 0.4  # so that a path in any colour stands out from it


def test_the_box_is_the_figure_at_one_scale(ax):
    away = {"far": [[0, 0.5], [50, 70], [-1e100, 1e100]]}
    plotting.surface(ax, bowl, BOX, away)
    assert (ax.get_xlim(), ax.get_ylim()) == (BOX[:2], BOX[2:])
    assert ax.get_aspect() == 1
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("$w_1$", "$w_2$")
    ax.figure.canvas.draw()


def test_a_surface_without_paths_has_no_legend(ax):
    plotting.surface(ax, bowl, BOX)
    assert not ax.lines and ax.get_legend() is None


def ways(lengths):
    """One path of each length, all from one start inside the box."""
    rng = np.random.default_rng(0)
    steps = [rng.normal(size=(length - 1, 2)) for length in lengths]
    return {f"way {len(s)}": np.concatenate([[[0.0, 0.5]], s]) for s in steps}


def test_each_path_has_its_own_colour_and_name_and_a_white_rim(ax):
    paths = ways([60, 61, 1])
    plotting.surface(ax, bowl, BOX, paths)
    *lines, start = ax.lines
    for i, points in enumerate(paths.values()):
        rim, line = lines[2 * i : 2 * i + 2]
        for drawn_line in (rim, line):
            np.testing.assert_array_equal(drawn_line.get_xydata(), points)
            assert drawn_line.get_marker() == ("None" if len(points) > 60 else "o")
        assert (rim.get_color(), line.get_color()) == ("white", f"C{i}")
        assert rim.get_linewidth() > line.get_linewidth() + 1
        assert rim.get_markersize() > line.get_markersize() + 1
        assert rim.get_zorder() <= line.get_zorder() < start.get_zorder()
    np.testing.assert_array_equal(start.get_xydata(), [[0, 0.5]])  # once, large
    assert start.get_markersize() > 2 * line.get_markersize()
    legend = ax.get_legend()
    assert [text.get_text() for text in legend.get_texts()] == list(paths)
    assert [handle.get_color() for handle in legend.legend_handles] == ["C0", "C1", "C2"]
    assert legend.get_frame_on()  # or the contours would run through the names


def test_each_start_has_its_dot(ax):
    corner = BOX[1], BOX[3]  # the edge belongs to the box
    plotting.surface(ax, bowl, BOX, {"a": [[0, 0.5]], "b": [corner, (9, 9)], "c": [[0, 0.5]]})
    np.testing.assert_array_equal(ax.lines[-1].get_xydata(), [[0, 0.5], corner])


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    ("values", "box", "paths", "words"),
    [
        (lambda w: np.log(w[..., 0] + w[..., 1]), BOX, None, r"is nan at w = \[-1, 0\]: choose a"),
        (lambda w: 1 / w[..., 1], BOX, None, r"values\(w\) is inf at w = \[-1, 0\]"),
        (lambda w: -np.exp(900 * w[..., 0]), BOX, None, r"is -inf at w = \[0\.\d+, 0\]"),
        (
            lambda w: w[0] ** 2 + w[1] ** 2,
            BOX,
            None,
            r"shape \(301, 2\) for w of .* w\[\.\.\., 0\]",
        ),
        (lambda w: 0.0, BOX, None, r"values\(w\) has shape \(\) for w of shape \(301, 301, 2\)"),
        (lambda w: w, BOX, None, r"values\(w\) has shape \(301, 301, 2\) for"),
        (lambda w: 3 + 0 * w[..., 0], BOX, None, r"is 3 everywhere in box=\(-1\.0, .* no contours"),
        (bowl, (1, 1, 0, 1), None, r"box=\(1, 1, 0, 1\) is no box"),
        (bowl, BOX, np.zeros((5, 2)), r"paths must be a dict of arrays, shape \(T, 2\), by name"),
        (bowl, BOX, {"up": np.zeros((5, 3, 2))}, r"path 'up' has shape \(5, 3, 2\), but \(T, 2\)"),
        (bowl, BOX, {"up": np.zeros((5, 3))}, r"path 'up' has shape \(5, 3\), but"),
        (bowl, BOX, {"up": [0, 0]}, r"path 'up' has shape \(2,\), but"),
        (bowl, BOX, {"up": np.zeros((0, 2))}, r"path 'up' has shape \(0, 2\), but"),
        (bowl, BOX, {"up": [[0, 0], [0, np.nan]]}, "path 'up' holds values that are not finite"),
        (bowl, BOX, {"a": [[0, 0]], "b": [[4, 0]]}, r"path 'b' starts at \[4, 0\], outside box=\("),
        (bowl, BOX, {"a": [[-1.1, 0]]}, r"path 'a' starts at \[-1\.1, 0\], outside"),
        (bowl, BOX, {"a": [[0, -0.1]]}, r"path 'a' starts at \[0, -0\.1\], outside"),
        (bowl, BOX, {"a": [[0, 1.5]]}, r"path 'a' starts at \[0, 1\.5\], outside .* larger box"),
    ],
)
def test_surface_says_what_is_wrong(ax, values, box, paths, words):
    with pytest.raises(ValueError, match=words):
        plotting.surface(ax, values, box, paths)
    assert not ax.collections and not ax.lines


def arrows(ax):
    """Ends of all arrows of a graph, (start, end)."""
    drawn = [text for text in ax.texts if getattr(text, "arrow_patch", None)]
    return sorted((*arrow.xyann, *arrow.xy) for arrow in drawn)


def letters(ax):
    """What is written, by its place."""
    written = [text for text in ax.texts if text.get_text()]
    return {text.get_position(): text.get_text() for text in written}


def circles(ax):
    """The circles of each layer of a graph, from top to bottom."""
    return [[tuple(place) for place in line.get_xydata()] for line in ax.lines]


def test_the_slides_network_is_drawn_with_their_names(ax):
    plotting.network(ax, [3, 2, 1])
    hidden, output = circles(ax)
    named = letters(ax)
    assert [named[place] for place in hidden] == ["$a^{[1]}_{1}$", "$a^{[1]}_{2}$"]
    assert [named[place] for place in output] == ["$a^{[2]}$"]
    rest = [text for place, text in named.items() if place not in {*hidden, *output}]
    assert {"$x_{1}$", "$x_{2}$", "$x_{3}$", r"$\hat{y}$"} < set(rest)
    assert {"input\nlayer", "layer 1\n(hidden)", "layer 2\n(output)"} < set(rest)
    assert len(rest) == 7
    assert not ax.axison


@pytest.mark.parametrize("sizes", [[3, 1], [1, 1], [2, 4, 4, 1], [8, 3, 8], np.array([4, 5, 3])])
def test_one_arrow_for_each_weight_and_one_for_each_prediction(ax, sizes):
    plotting.network(ax, sizes)
    columns = circles(ax)
    assert [len(column) for column in columns] == list(sizes[1:])
    inputs = [place for place, text in letters(ax).items() if text.startswith("$x")]
    weights = [
        (*start, *end)
        for before, after in zip([inputs, *columns], columns, strict=False)
        for start in before
        for end in after
    ]
    found = arrows(ax)
    assert [arrow for arrow in found if arrow[:2] not in columns[-1]] == sorted(weights)
    last = [arrow for arrow in found if arrow[:2] in columns[-1]]
    predictions = [(p, t) for p, t in letters(ax).items() if t.startswith(r"$\hat{y}")]
    assert len(last) == len(predictions) == sizes[-1]
    for (x0, y0, x1, y1), ((x, y), _) in zip(last, sorted(predictions), strict=True):
        assert y0 == y1 == y and x0 < x < x1  # by shrinkB, the arrow ends before the letter
    heights = [y for (_, y), text in predictions]
    assert heights == sorted(heights, reverse=True)


def test_units_are_numbered_from_the_top(ax):
    plotting.network(ax, [2, 3, 2])
    named = letters(ax)
    for layer, column in enumerate(circles(ax), start=1):
        down = sorted(column, key=lambda place: -place[1])
        expected = [f"$a^{{[{layer}]}}_{{{i}}}$" for i in range(1, len(down) + 1)]
        assert [named[place] for place in down] == expected
    ends = {text: y for (_, y), text in named.items()}
    assert ends["$x_{1}$"] > ends["$x_{2}$"]
    assert ends[r"$\hat{y}_{1}$"] > ends[r"$\hat{y}_{2}$"]


@pytest.mark.parametrize(
    ("sizes", "panels"),
    [([3, 1], 1), ([3, 2, 1], 1), ([3, 2, 1], 2), ([2, 8, 8, 1], 2), ([8] * 8, 1)],
)
def test_nothing_of_a_graph_overlaps_or_leaves_the_figure(sizes, panels):
    with plt.rc_context():
        plotting.set_style()
        figure, axes = plt.subplots(1, panels, squeeze=False)
        names = ["galaxy size (kpc)", "redshift", "colour"] if sizes[0] == 3 else None
        plotting.network(axes[0, 0], sizes, names)
        figure.draw_without_rendering()
    (ax, *_), (line, *_) = axes[0], axes[0, 0].lines
    radius = (line.get_markersize() + line.get_markeredgewidth()) / 2 / 72 * figure.dpi
    middles = ax.transData.transform(np.concatenate(circles(ax)))
    apart = np.linalg.norm(middles[:, None] - middles, axis=2) + 1e9 * np.eye(len(middles))
    assert apart.min() > 2 * radius
    named = [text for text in ax.texts if text.get_text()]
    boxes = [text.get_window_extent() for text in named]
    inside = ax.get_window_extent().padded(2)
    assert all(inside.fully_containsx(x) for box in boxes for x in (box.x0, box.x1))
    assert all(inside.fully_containsy(y) for box in boxes for y in (box.y0, box.y1))
    assert not any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[:i])
    for text, box in zip(named, boxes, strict=True):
        if text.get_text().startswith("$a"):
            assert radius < np.hypot(box.width, box.height) < 2 * radius  # fills its circle
    if sum(sizes) < 7 and panels == 1:
        assert named[0].get_fontsize() > 12 and line.get_markersize() > 60  # from the last row
    plt.close(figure)


def test_inputs_may_have_names(ax):
    plotting.network(ax, [2, 1], ["size", "colour"])
    assert {"size", "colour"} < set(letters(ax).values())
    assert not any(text.startswith("$x") for text in letters(ax).values())


@pytest.mark.parametrize(
    ("sizes", "names", "words"),
    [
        (
            [3, 9, 1],
            None,
            r"sizes=\[3, 9, 1\] cannot be drawn so that the last row reads it: 2 to 8",
        ),
        ([2] * 9, None, "cannot be drawn .* Draw a smaller network that stands for it"),
        ([3], None, r"sizes=\[3\] cannot be drawn"),
        ([3, 0, 1], None, "whole numbers from 1 to 8"),
        ([3, 2.5, 1], None, "whole numbers from 1 to 8"),
        ([3, 1], ["size"], r"names=\['size'\] must be a list, one name for each of 3 inputs"),
        ([3, 1], "abc", "names='abc' must be a list"),
    ],
)
def test_network_says_what_is_wrong(ax, sizes, names, words):
    with pytest.raises(ValueError, match=words):
        plotting.network(ax, sizes, names)
    assert not ax.lines and not ax.texts


PLANE = np.array([[-1.0, 0.2], [2.0, 0.1], [0.5, 0.9], [3.0, 1.0]])
CLASSES = np.array([0, 1, 1, 0])


def to_the_right(points):
    """Probability that grows to the right, and a little upwards; 0.5 on x_1 = 1 - x_2 / 10."""
    return networks.activation("sigmoid").g(points[:, 0] - 1 + points[:, 1] / 10)


def test_the_plane_has_the_colours_of_its_probabilities(ax):
    plotting.decision(ax, to_the_right, PLANE, CLASSES, BOX)
    (image,) = ax.images
    ax.figure.canvas.draw()
    for place in [(-0.9, 0.1), (2.9, 0.1), (2.9, 0.9), (1.0, 0.5)]:
        x, y = ax.transData.transform(place)
        event = matplotlib.backend_bases.MouseEvent("motion_notify_event", ax.figure.canvas, x, y)
        expected = to_the_right(np.array([place]))[0]
        assert image.get_cursor_data(event) == pytest.approx(expected, abs=0.005)
    assert image.get_clim() == (0, 1)  # whatever part of it occurs
    assert (ax.get_xlim(), ax.get_ylim()) == (BOX[:2], BOX[2:])
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("$x_1$", "$x_2$")


def test_undecided_is_white_and_both_classes_grow_darker(ax):
    plotting.decision(ax, to_the_right, PLANE, CLASSES)
    (image,) = ax.images
    colours = image.to_rgba(np.linspace(0, 1, 51))[:, :3]
    greys = colours @ [0.3, 0.59, 0.11]
    assert greys[25] > 0.98 and greys.min() > 0.6  # pale enough for points and line
    assert (np.diff(greys[:26]) > 0).all() and (np.diff(greys[25:]) < 0).all()
    for colour, end in (("C0", colours[0]), ("C1", colours[-1])):  # as its points, paler
        strong = np.array(matplotlib.colors.to_rgb(colour))
        assert strong.argmax() == end.argmax() and strong.argmin() == end.argmin()


def test_the_line_runs_where_the_probability_is_a_half(ax):
    plotting.decision(ax, to_the_right, PLANE, CLASSES)
    (line,) = [c for c in ax.collections if isinstance(c, matplotlib.contour.ContourSet)]
    places = line.get_paths()[0].vertices
    np.testing.assert_allclose(to_the_right(places), 0.5, atol=1e-4)
    assert np.ptp(places[:, 1]) > 1


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("certain", [0.0, 0.5, 1.0])
def test_without_a_border_there_is_no_line(ax, certain):
    plotting.decision(ax, lambda points: np.full(len(points), certain), PLANE, CLASSES)
    assert len(ax.collections) == 2  # the points of both classes


@pytest.mark.parametrize("kind", [int, float, bool])
def test_each_class_has_its_shape_and_colour_and_name(ax, kind):
    plotting.decision(ax, to_the_right, PLANE, CLASSES.astype(kind))
    points = [c for c in ax.collections if not isinstance(c, matplotlib.contour.ContourSet)]
    for c, drawn_points in enumerate(points):
        np.testing.assert_array_equal(drawn_points.get_offsets(), PLANE[c == CLASSES])
        assert matplotlib.colors.same_color(drawn_points.get_facecolor(), f"C{c}")
    assert not np.array_equal(*(p.get_paths()[0].vertices.shape for p in points))
    assert ax.get_legend_handles_labels()[1] == ["class 0", "class 1"]


def test_without_a_box_all_points_lie_well_inside(ax):
    plotting.decision(ax, to_the_right, PLANE, CLASSES)
    (left, right), (bottom, top) = ax.get_xlim(), ax.get_ylim()
    assert (left, right, bottom, top) == pytest.approx((-1.4, 3.4, -0.3, 1.4))
    plotting.decision(ax, to_the_right, PLANE[:1], CLASSES[:1])  # a single one
    assert ax.get_xlim() == (-2, 0)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"x": PLANE.T}, r"x has shape \(2, 4\), but \(m, 2\) is expected, .*: transpose"),
        ({"x": PLANE[:, 0]}, r"x has shape \(4,\)"),
        ({"x": PLANE[:0], "y": []}, r"x has shape \(0, 2\)"),
        ({"x": PLANE * np.nan}, "x holds values that are not finite"),
        ({"y": CLASSES[:3]}, r"y has shape \(3,\), for 4 examples: one class, 0 or 1, is expected"),
        ({"y": CLASSES[:, None]}, r"y has shape \(4, 1\), for 4 examples"),
        ({"y": 2 * CLASSES - 1}, "one class, 0 or 1, is expected"),
        ({"y": CLASSES * np.nan}, "one class, 0 or 1, is expected"),
        ({"box": (1, 0, 0, 1)}, r"box=\(1, 0, 0, 1\) is no box"),
        (
            {"probability": lambda p: to_the_right(p)[:, None]},
            r"shape \(40000, 1\), but \(40000,\) is expected .* take \[0\] or \[:, 0\]",
        ),
        ({"probability": lambda p: 0.5}, r"probability\(points\) has shape \(\), but"),
        (
            {"probability": lambda p: p[:, 0]},
            r"is -0\.99 at \[-0\.99, 0\.0025\], but .* \[0, 1\]: of scores z take the sigmoid",
        ),
        ({"probability": lambda p: 1.01 + 0 * p[:, 0]}, r"is 1\.01 at \["),
        ({"probability": lambda p: np.nan * p[:, 0]}, r"is nan at \["),
    ],
)
def test_decision_says_what_is_wrong(ax, change, words):
    given = {"probability": to_the_right, "x": PLANE, "y": CLASSES, "box": BOX} | change
    with pytest.raises(ValueError, match=words):
        plotting.decision(ax, **given)
    assert not ax.images and not ax.collections
