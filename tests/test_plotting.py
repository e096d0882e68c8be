"""Figures: what is drawn, and what is stored with the notebook."""

from statistics import median

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import pytest
import seaborn as sns
from bs4 import BeautifulSoup
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output
from nbconvert import HTMLExporter
from nbformat.v4 import new_code_cell, new_notebook, new_output

import notebooks
from course_utils import data, plotting


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


def test_show_stores_one_picture_whose_text_arrives_in_a_page(ax, shell):
    ax.plot([0, 1], [0, 1])
    text = 'A rising line & its "slope": 0.5 < s < 1.'
    with capture_output() as captured:
        plotting.show(text)
    (output,) = captured.outputs
    assert output.data["text/plain"] == text
    cell = new_code_cell(outputs=[new_output("display_data", data=output.data)])
    page, _ = HTMLExporter().from_notebook_node(new_notebook(cells=[cell]))
    (image,) = BeautifulSoup(page, "html.parser").find_all("img")
    assert image["alt"] == text
    ((alt, picture),) = notebooks.figures(cell)
    assert (alt, picture[:4]) == (text, b"\x89PNG")
    assert plt.get_fignums() == []  # or Jupyter would show the figure a second time


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
