"""Plumbing of the course: what a lesson needs around its idea.

Import this package before TensorFlow and NumPy: what it sets here is read when they load.
"""

import os
import sys
from pathlib import Path

from course_utils.runtime import budget, setup

__all__ = ["budget", "setup"]

# The level of TensorFlow's C++ log.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

# NumPy's matrix products on one thread: more gain little on small matrices, and lose fifty times
# the time on a busy machine, where they wait for one another.
if "numpy" in sys.modules and "OPENBLAS_NUM_THREADS" not in os.environ:
    from threadpoolctl import threadpool_limits

    threadpool_limits(1, user_api="blas")  # NumPy has read its variable already
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

# Keras's settings from the course's own keras.json. Those in the user's home and environment were
# made for other work, and Keras would write such a file where there is none.
for _name in [name for name in os.environ if name.startswith("KERAS_")]:
    del os.environ[_name]
os.environ["KERAS_HOME"] = str(Path(__file__).parent / "keras_home")
