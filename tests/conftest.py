"""Fixtures that more than one file of tests asks for."""

import os

from local_site import folder, register, site

os.environ.pop("COURSE_CLAIMS", None)  # here a claim that does not hold stops its lesson

__all__ = ["folder", "register", "site"]
