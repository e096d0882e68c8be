"""Stands at the top so that the comparer serves notebooks/ as well as tests/."""

pytest_plugins = ["notebook_comparer"]
