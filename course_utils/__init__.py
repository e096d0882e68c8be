"""Plumbing of the course: what a lesson needs around its idea.

Import this package before TensorFlow and NumPy: it lowers the level of TensorFlow's C++ log and
keeps NumPy's matrix products on one thread, which can be set only before they load.
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
# More threads gain little on small matrices, and lose fifty times the time on a busy machine, where
# they wait for one another.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from course_utils.runtime import budget, setup

__all__ = ["budget", "setup"]
