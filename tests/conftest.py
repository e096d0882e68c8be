"""Fixtures that more than one file of tests asks for."""

from local_site import folder, register, site

__all__ = ["folder", "register", "site"]
