"""How tests of exercises ask: whose answer is refused, and whether a solution's code is right."""

import re

import numpy as np


def refused(exercise, answer, *sentences):
    """The answer is judged, found wrong, and told these sentences."""
    passed, message = exercise.verdict(answer)
    assert passed is False, message
    assert "could not be evaluated" not in message
    for sentence in sentences:
        assert sentence in message, message


def code_is_correct(exercise, **known):
    """The one piece of code in the solution, run where these names are known, passes the check."""
    (code,) = re.findall(r"```python\n(.*?)```", exercise.explanation, re.DOTALL)
    names = {"np": np, **known}
    exec(code, names)
    answer = [names[name] for name in names if name not in {"np", "__builtins__", *known}][-1]
    passed, message = exercise.verdict(answer)
    assert passed is True, message
