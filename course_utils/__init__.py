"""Plumbing of the course: what a lesson needs around its idea.

Import this package before TensorFlow: it lowers the level of TensorFlow's C++ log, which can be
set only before TensorFlow loads.
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

from course_utils.runtime import budget, setup

__all__ = ["budget", "setup"]
