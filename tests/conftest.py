"""Fixtures that more than one file of tests asks for."""

import os
import shutil

import pytest

from local_site import folder, register, site

MAC = "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"
BROWSERS = ("chromium", "chromium-browser", "google-chrome", MAC)
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


@pytest.fixture(scope="session")
def browser_type_launch_args() -> dict:
    """Start the Chromium that is installed."""
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        pytest.exit("No Chromium was found. Install it, on Debian: sudo apt install chromium", 1)
    as_root = hasattr(os, "geteuid") and os.geteuid() == 0
    return {"executable_path": found, "args": ["--no-sandbox"] if as_root else []}
