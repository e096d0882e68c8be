"""What holds for tests/ and for notebooks/: the comparer, and the variables of every kernel."""

import os

pytest_plugins = ["notebook_comparer"]

os.environ.pop("COURSE_CLAIMS", None)  # here a claim that does not hold stops its lesson
for _name in ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"):
    # Two files run side by side (pyproject.toml): each has half of the cores.
    os.environ.setdefault(_name, str(max(1, (os.cpu_count() or 2) // 2)))
