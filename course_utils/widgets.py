"""Explorers: sliders that redraw a figure."""

from collections.abc import Callable, Sequence
from typing import Any


def explore(draw: Callable[..., None], **choices: Sequence[Any]) -> None:
    """Show one slider per keyword and redraw the figure whenever one is let go.

    Nothing of it is stored with a notebook: put a static figure beside it for readers who
    cannot run it.

    Parameters
    ----------
    draw : callable
        Takes the chosen values as keywords and shows a figure.
    **choices : sequence
        The values of each slider, in order; it starts in the middle. Underscores in the keyword
        become spaces in the slider's label.

    Raises
    ------
    ValueError
        If a slider has no values.
    """
    import ipywidgets
    from IPython.display import display

    for name, values in choices.items():
        if not len(values):
            raise ValueError(f"The slider {name!r} has no values to choose from.")
    sliders = {
        name: ipywidgets.SelectionSlider(
            options=list(values),
            value=values[len(values) // 2],
            description=name.replace("_", " "),
            continuous_update=False,
            style={"description_width": "initial"},
            layout={"width": "360px"},
        )
        for name, values in choices.items()
    }
    figure = ipywidgets.interactive_output(draw, sliders)
    display(ipywidgets.VBox([ipywidgets.HBox(list(sliders.values())), figure]))
