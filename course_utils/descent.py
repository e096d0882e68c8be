"""The way down a surface: a rule is applied again and again, from one start or from many."""

from collections.abc import Callable, Sequence
from numbers import Integral, Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike


def path(
    rule: Callable[..., tuple[Any, Any, Any]],
    gradient: Callable[[np.ndarray], ArrayLike],
    start: ArrayLike,
    alpha: float | Sequence[float],
    steps: int,
    **settings: float,
) -> np.ndarray:
    """Walk down a surface: w := w - step, with steps by a rule such as momentum or Adam.

    Parameters
    ----------
    rule : callable
        ``step, V, S = rule(dw, V, S, t, alpha, **settings)``: from the gradient, the running
        averages of the gradient and of its square (both 0.0 before the first step), the number of
        the step (1, 2, ...) and its learning rate, the step and the new averages.
    gradient : callable
        Takes w and returns dJ/dw, an array of the same shape.
    start : array of any shape
        Where to begin: one point, shape (D,), or many that go down side by side, shape (N, D).
    alpha : float or sequence of floats, shape (steps,)
        Learning rate, above 0: one for all steps, or a schedule with one for each.
    steps : int
        How many.
    **settings
        Handed to the rule. Those whose names begin with ``beta`` lie in [0, 1).

    Returns
    -------
    array, shape (steps + 1, *start.shape)
        All places w on the way, the start first.

    Raises
    ------
    ValueError
        If a number is outside its range, the schedule has another length, or the start is not
        finite; if the gradient or the rule's answer has a wrong shape; if on the way the gradient
        or w is not finite any more. Step and point are named.
    """
    start = np.asarray(start, dtype=float)
    if not (start.size and np.isfinite(start).all()):
        raise ValueError(f"start={_short(start)} is no place: finite numbers are expected.")
    if not (isinstance(steps, Integral) and steps >= 1):
        raise ValueError(f"steps={steps} must be a whole number, at least 1.")
    for name, value in settings.items():
        if name.startswith("beta") and not (isinstance(value, Real) and 0 <= value < 1):
            raise ValueError(
                f"{name}={value} must lie in [0, 1): it is the share that a running average keeps "
                "of its past."
            )
    rates = _rates(alpha, steps)

    places = np.empty((steps + 1, *start.shape))
    places[0] = start
    V = S = 0.0
    with np.errstate(all="ignore"):  # numbers that run away are named below
        for t, rate in enumerate(rates, start=1):
            w = places[t - 1]
            dw = np.array(gradient(w.copy()), dtype=float)  # copies: both may work in place
            if dw.shape != w.shape:
                raise ValueError(
                    f"gradient(w) has shape {dw.shape}, but w has shape {w.shape}: one derivative "
                    "is expected for each number in w."
                )
            _refuse(dw, "the gradient", t, w, rate, "the surface may not be defined there")
            answer = rule(dw, V, S, t, rate, **settings)
            if not isinstance(answer, tuple | list) or len(answer) != 3:
                raise ValueError(
                    "the rule must return three things, the step and both averages: "
                    "return step, V, S."
                )
            step, V, S = answer
            if np.shape(step) != w.shape:
                raise ValueError(
                    f"the rule's step has shape {np.shape(step)}, but w has shape {w.shape}: one "
                    "step is expected for each number in w."
                )
            places[t] = w - step
            _refuse(places[t], "w after the step", t, w, rate, "the rule may divide by zero")
    return places


def _rates(alpha: float | Sequence[float], steps: int) -> list[float]:
    """Return one learning rate for each step."""
    rates = np.asarray(alpha, dtype=float)
    if rates.shape not in {(), (steps,)}:
        raise ValueError(
            f"alpha has shape {rates.shape}, but one rate, or a schedule of shape ({steps},), is "
            "expected: one rate for each step."
        )
    wrong = ~((rates > 0) & (rates < np.inf))  # so written, NaN is refused as well
    if wrong.any():
        first = int(wrong.argmax())
        name = f"alpha[{first}], the rate of step {first + 1}," if rates.ndim else "alpha"
        raise ValueError(
            f"{name} is {rates.flat[first]:g}, but a learning rate is positive and finite: minus "
            "stands in the rule already, and a schedule that divides by t counts from 1."
        )
    return np.broadcast_to(rates, steps).tolist()


def _refuse(values: np.ndarray, what: str, t: int, w: np.ndarray, rate: float, reason: str) -> None:
    """Raise an error that names the first point w at which values are not finite, if there is one.

    A point is what stands along the last axis; of a long list of numbers it is one of them.
    """
    wrong = ~np.isfinite(values)
    if wrong.any():
        place = np.argwhere(wrong)[0].tolist()
        if w.ndim != 1 or w.size <= 8:
            place = place[:-1]
        raise ValueError(
            f"{what} is {np.extract(wrong, values)[0]} at step {t}, from w{place or ''} = "
            f"{_short(w[tuple(place)])}: {reason}, or alpha={rate:g} is so large that w ran away; "
            "try a smaller one."
        )


def _short(point: np.ndarray) -> str:
    return np.array2string(np.asarray(point), precision=4, threshold=8, separator=", ")
