"""Claims and checks: what holds, what does not, and what the summary shows."""

import json
import math

import numpy as np
import pytest
import tensorflow as tf
from scipy.stats import sem

import notebooks
import seeds
from course_utils import runtime
from course_utils.claims import ClaimFailed, Claims, check, mean_and_error


@pytest.fixture
def claim():
    return Claims()


def test_a_claim_that_holds_is_printed_with_its_number_and_unit(claim, capsys):
    about = {"se": 0.011, "over": "20 starts", "unit": "g/l", "digits": 3}
    claim("The band is narrow", 0.1234, below=0.2, above=0.1, **about)
    line = "✓ The band is narrow: 0.123 ± 0.011 g/l over 20 starts (claimed: 0.100 to 0.200)\n"
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
    with pytest.raises(ClaimFailed, match=rf"^The mean: .*The value {value!r} lies outside, by "):
        claim("The mean", value, **bounds)
    assert capsys.readouterr().out == ""
    assert "The mean" not in repr(claim)


SAID = "The value 0.3 lies inside, but only 1.67 standard errors from its bound"


@pytest.mark.parametrize(
    ("se", "bounds", "said"),
    [
        (0.049, {"above": 0.2, "below": 0.4}, ""),
        (0.0, {"above": 0.2}, ""),
        (0.06, {"above": 0.2}, SAID),
        (0.06, {"below": 0.4}, SAID),
        (0.06, {"above": -9, "below": 0.4}, SAID),
        (math.nan, {"above": 0.2}, "nan standard errors"),
    ],
)
def test_with_its_own_seed_a_claim_lies_two_standard_errors_inside(
    claim, se, bounds, said, monkeypatch
):
    if said:
        with pytest.raises(ClaimFailed, match=said):
            claim("The mean", 0.3, **bounds, se=se)
    monkeypatch.setattr(runtime, "seed_is_own", not said)
    claim("The mean", 0.3, **bounds, se=se)


def test_with_another_seed_a_claim_still_lies_inside(claim, monkeypatch):
    monkeypatch.setattr(runtime, "seed_is_own", False)
    with pytest.raises(ClaimFailed, match=r"lies outside, by 0\.1\. If you changed"):
        claim("The mean", 0.1, above=0.2, se=0.01)


def test_infinity_can_hold(claim):
    claim("It diverges", math.inf, above=1e9)


def test_a_claim_without_a_bound_is_none(claim):
    with pytest.raises(ValueError, match="A claim needs a bound"):
        claim("The sky is blue", 1.0)


def test_a_claim_has_one_value(claim):
    with pytest.raises(ValueError, match="size 1"):
        claim("Two means", [1.0, 2.0], above=0)


def test_the_summary_shows_the_headlines_and_folds_the_rest(claim):
    claim("p < q & r", 1.0, below=2, headline=True)
    claim("Seen by the way", 1.0, below=2)
    check("Exact", 1, 1)
    claim("Speed", 2.5, above=2, unit="<m>/s", digits=1, headline=True)
    claim("p < q & r", 1.5, below=2, headline=True)  # the cell was run again
    assert repr(claim).splitlines() == [
        "✓ p < q & r: 1.50 (claimed: below 2.00)",
        "✓ Speed: 2.5 <m>/s (claimed: above 2.0)",
        "and 1 more claim holds",
    ]
    assert claim._repr_html_() == (
        "<ul><li>p &lt; q &amp; r: <strong>1.50</strong>, claimed below 2.00</li>"
        "<li>Speed: <strong>2.5 &lt;m&gt;/s</strong>, claimed above 2.0</li></ul>"
        "<details><summary>1 more claim holds</summary>"
        "<ul><li>Seen by the way: <strong>1.00</strong>, claimed below 2.00</li></ul></details>"
    )


def test_without_headlines_the_summary_shows_all(claim):
    claim("One", 1, below=2)
    claim("Two", 2, below=3)
    assert [line[:5] for line in repr(claim).splitlines()] == ["✓ One", "✓ Two"]
    assert "details" not in claim._repr_html_()


@pytest.mark.parametrize(
    ("value", "expected", "rule", "said"),
    [
        (tf.constant(3), 3, {}, "equal"),
        ([0.5, 1.5], [0.5, 1.5 + 9e-7], {"within": 1e-6}, "equal within 1e-06"),
        (np.zeros((2, 2), bool), 0, {}, "equal"),
        (
            [0.1, 2.0],
            [0.0, 1.0],
            {"within": 4, "se": [0.025, 0.5]},
            "equal within 4 standard errors",
        ),
    ],
)
def test_a_check_prints_one_line_without_the_number(value, expected, rule, said, capsys):
    check("Ours is theirs", value, expected, **rule)
    assert capsys.readouterr().out == f"✓ Ours is theirs (checked: {said})\n"


@pytest.mark.parametrize(
    ("value", "expected", "rule", "said"),
    [
        (1, 0, {}, r"equal\)\. The difference is 1\."),
        ([0.0, -1.1], 0, {"within": 1}, r"is 1\.1\. If you changed"),
        (1.1, 1, {"within": 4, "se": 0.02}, r"is 5 standard errors\."),
        (1, 1, {"within": math.nan}, "is 0"),
        (0, 0, {"within": 4, "se": 0}, "is nan"),
        (math.nan, 0, {"within": math.inf}, "is nan"),
        ([0, math.nan], 0, {"within": 1}, "is nan"),
        (math.nan, math.nan, {}, "is nan"),
        (math.inf, math.inf, {}, "is nan"),
    ],
)
@pytest.mark.filterwarnings("ignore:invalid value")
def test_a_check_that_fails_stops_and_nothing_agrees_with_nan(value, expected, rule, said, capsys):
    with pytest.raises(ClaimFailed, match=f"^Ours is theirs .*{said}"):
        check("Ours is theirs", value, expected, **rule)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(("value", "expected"), [([], 0), ([1, 1], [[1], [1]]), (1, [1, 1])])
def test_a_check_has_something_to_compare(value, expected):
    with pytest.raises(ValueError, match="two arrays of the same shape that are not empty"):
        check("Nothing", value, expected)


def test_a_mean_is_handed_over_with_its_standard_error(claim, capsys):
    gains = [0.5, 0.1, 0.4, 0.4]
    assert mean_and_error(gains) == {"value": pytest.approx(0.35), "se": pytest.approx(sem(gains))}
    claim("A beats B by", **mean_and_error(gains, "starts"), above=0)
    assert "0.35 ± 0.09 over 4 starts" in capsys.readouterr().out


def test_claims_and_checks_are_noted_where_a_file_is_named_and_none_stops(
    claim, capsys, tmp_path, monkeypatch
):
    path = tmp_path / "noted"
    monkeypatch.setenv("COURSE_CLAIMS", str(path))
    claim("Σ", np.float32(0.5), above=tf.constant(0.25), se=np.float64(0.0625), headline=True)
    claim("Too low", math.nan, above=np.int64(1), below=2, unit="m", digits=1)
    check("Ours is theirs", [1.0, 1.5], 1, within=np.float32(0.25))
    noted = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    common = ("kind", "text", "above", "below", "holds")
    assert [[one[key] for key in common] for one in noted] == [
        ["headline", "Σ", 0.25, None, True],
        ["claim", "Too low", 1, 2, False],
        ["check", "Ours is theirs", None, 0.25, False],
    ]
    assert [str(one["value"]) for one in noted] == ["0.5", "nan", "0.5"]
    assert capsys.readouterr().out.splitlines() == [
        "✓ Σ: 0.50 ± 0.06 (claimed: above 0.25)",
        "✗ Too low: nan m (claimed: 1.0 to 2.0)",
        "✗ Ours is theirs (checked: equal within 0.25)",
    ]
    assert "Too low" not in repr(claim)


@pytest.mark.parametrize("lesson", seeds.lessons())
def test_the_summary_of_a_lesson_shows_five_to_eight_headlines(lesson):
    cells = notebooks.code_cells(notebooks.read_stored(lesson))
    shown = [out.get("data", {}).get("text/plain", "") for cell in cells for out in cell.outputs]
    (summary,) = [text for text in shown if text.startswith("✓")]
    assert 5 <= summary.count("✓") <= 8
