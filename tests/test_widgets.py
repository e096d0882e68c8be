"""Explorers: the sliders that are shown and what they call."""

import IPython.display
import ipywidgets
import numpy as np
import pytest

from course_utils.widgets import explore


@pytest.fixture
def shown(monkeypatch):
    displayed = []
    monkeypatch.setattr(IPython.display, "display", displayed.append)
    return displayed


def test_each_keyword_is_a_slider_that_starts_in_the_middle_and_redraws(shown):
    calls = []
    explore(
        lambda **chosen: calls.append(chosen),
        beta=[0.0, 0.5, 1.0],
        hidden_units=range(10, 50, 10),
        z=np.linspace(-1, 1, 5),
    )
    assert calls == [{"beta": 0.5, "hidden_units": 30, "z": 0.0}]

    (box,) = shown
    row, figure = box.children
    assert isinstance(figure, ipywidgets.Output)
    assert [s.description for s in row.children] == ["beta", "hidden units", "z"]
    beta, units, _ = row.children
    assert list(units.options) == [10, 20, 30, 40]
    assert not beta.continuous_update

    beta.value = 1.0
    units.value = 40
    assert calls[1:] == [
        {"beta": 1.0, "hidden_units": 30, "z": 0.0},
        {"beta": 1.0, "hidden_units": 40, "z": 0.0},
    ]


@pytest.mark.parametrize("nothing", [[], np.array([]), range(0)])
def test_a_slider_without_values_is_named(nothing, shown):
    with pytest.raises(ValueError, match="The slider 'beta' has no values"):
        explore(print, alpha=[1, 2], beta=nothing)
    assert shown == []
