"""Fixtures that more than one file of tests asks for."""

import pytest

from local_site import folder, register, site

__all__ = ["folder", "register", "site"]


@pytest.fixture
def ax():
    """The axes of a figure that is closed afterwards."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, ax = plt.subplots()
    yield ax
    plt.close(figure)
