"""Claims: what holds, what does not, and what the summary shows."""

import json
import math

import numpy as np
import pytest
import tensorflow as tf
from scipy.stats import sem

from course_utils.claims import ClaimFailed, Claims, mean_and_error


@pytest.fixture
def claim():
    return Claims()


def test_a_claim_that_holds_is_printed_with_its_number_and_unit(claim, capsys):
    claim("The band is narrow", 0.1234, below=0.2, above=0.1, se=0.011, unit="g/l", digits=3)
    line = "✓ The band is narrow: 0.123 ± 0.011 g/l (claimed: 0.100 to 0.200)\n"
    assert capsys.readouterr().out == line


@pytest.mark.parametrize("value", [3, np.float32(3), np.array([[3.0]]), tf.constant(3.0)])
def test_any_single_number_is_a_value(claim, value, capsys):
    claim("Three", value, above=2.9, digits=0)
    assert capsys.readouterr().out == "✓ Three: 3 (claimed: above 3)\n"


@pytest.mark.parametrize(
    ("value", "bounds"),
    [
        (0.2, {"above": 0.3}),
        (0.2, {"below": 0.1}),
        (0.2, {"above": 0.3, "below": 0.4}),
        (0.5, {"above": 0.3, "below": 0.4}),
        (0.2, {"above": 0.2}),  # a bound itself is outside
        (0.2, {"below": 0.2}),
        (math.nan, {"above": 0.0}),
        (math.nan, {"below": 0.0}),
        (math.nan, {"above": -1.0, "below": 1.0}),
        (0.2, {"above": math.nan}),
    ],
)
def test_a_claim_that_does_not_hold_stops_with_its_value(claim, value, bounds, capsys):
    with pytest.raises(ClaimFailed, match=rf"^The mean: .*The value {value!r} lies outside"):
        claim("The mean", value, **bounds)
    assert capsys.readouterr().out == ""
    assert "The mean" not in repr(claim)


def test_infinity_can_hold(claim):
    claim("It diverges", math.inf, above=1e9)


def test_a_claim_without_a_bound_is_none(claim):
    with pytest.raises(ValueError, match="A claim needs a bound"):
        claim("The sky is blue", 1.0)


def test_a_claim_has_one_value(claim):
    with pytest.raises(ValueError, match="size 1"):
        claim("Two means", [1.0, 2.0], above=0)


def test_the_summary_lists_every_claim_once_as_text_and_as_an_escaped_table(claim):
    claim("p < q & r", 1.0, below=2)
    claim("Speed", 2.5, above=2, unit="<m>/s", digits=1)
    claim("p < q & r", 1.5, below=2)  # the cell was run again
    assert repr(claim).splitlines() == [
        "✓ p < q & r: 1.50 (claimed: below 2.00)",
        "✓ Speed: 2.5 <m>/s (claimed: above 2.0)",
    ]
    table = claim._repr_html_()
    assert table.startswith("<table><tr><th") and table.endswith("</tr></table>")
    assert table.count("<tr>") == 3
    assert "p &lt; q &amp; r</td><td>1.50</td><td>below 2.00</td>" in table
    assert "<td>2.5 &lt;m&gt;/s</td>" in table


def test_a_mean_is_handed_over_with_its_standard_error(claim, capsys):
    gains = [0.5, 0.1, 0.4, 0.4]
    assert mean_and_error(gains) == {"value": pytest.approx(0.35), "se": pytest.approx(sem(gains))}
    claim("A beats B by", **mean_and_error(gains), above=0)
    assert "0.35 ± 0.09" in capsys.readouterr().out


def test_every_claim_is_noted_where_a_file_is_named_and_none_stops(
    claim, capsys, tmp_path, monkeypatch
):
    path = tmp_path / "noted"
    monkeypatch.setenv("COURSE_CLAIMS", str(path))
    claim("Σ", np.float32(0.5), above=tf.constant(0.25), se=np.float64(0.125))
    claim("Too low", math.nan, above=np.int64(1), below=2, unit="m", digits=1)
    noted = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    assert noted[0] == {
        "text": "Σ",
        "value": 0.5,
        "se": 0.125,
        "above": 0.25,
        "below": None,
        "unit": "",
        "digits": 2,
        "holds": True,
    }
    assert math.isnan(noted[1]["value"])
    assert noted[1]["above"] == 1
    assert noted[1]["below"] == 2
    assert not noted[1]["holds"]
    lines = capsys.readouterr().out.splitlines()
    assert lines == [
        "✓ Σ: 0.50 ± 0.12 (claimed: above 0.25)",
        "✗ Too low: nan m (claimed: 1.0 to 2.0)",
    ]
    assert "Too low" not in repr(claim)
