"""Number formats, safe texts, differences and plots."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rmaudit.reporting import plots, text
from rmaudit.reporting.diff import mark_difference
from rmaudit.suites.finding import Estimate, Histogram


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0.41728, "+0.417"), (-0.0004, "0.000"), (0.0, "0.000"), (-1.5, "−1.500"), (0.0004999, "0.000")],
)
def test_signed(value: float, shown: str) -> None:
    assert text.signed(value) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0.00001, "< 0.0001"), (0.00012, "0.0001"), (0.0213, "0.021"), (1.0, "> 0.999"), (0.41, "0.410")],
)
def test_p_value_is_never_zero_or_one(value: float, shown: str) -> None:
    assert text.p_value(value) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0.0, "0"),
        (1234.56, "1235"),
        (0.0043219, "0.00432"),
        (2.3456789, "2.35"),
        (-1.5e-9, "−1.50e−09"),
        (3e12, "3.00e+12"),
    ],
)
def test_significant(value: float, shown: str) -> None:
    assert text.significant(value) == shown


@pytest.mark.parametrize(("value", "shown"), [(1 / 3, "0.333333"), (-0.0, "0.0"), (7, "7"), (1234567.8, "1234570.0")])
def test_exact_is_what_the_file_says(value: float, shown: str) -> None:
    assert text.exact(value) == shown


@given(st.text(alphabet=st.characters(exclude_categories=()), max_size=60))
def test_clean_text_encodes_and_has_no_control(value: str) -> None:
    cleaned = text.clean(value)
    cleaned.encode("utf-8")
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", cleaned)
    assert text.clean(cleaned) == cleaned


def test_clean_keeps_what_people_write() -> None:
    kept = "naïve 日本語 \N{FAMILY} a\u200db\tc\nd — “quotes”"
    assert text.clean(kept) == kept
    assert text.clean("one\r\ntwo") == "one\ntwo"


def test_clean_shows_that_something_was_there() -> None:
    assert text.clean("a\x1b[2Jb") == "a�[2Jb"
    assert text.clean("x" * 50, 10) == "x" * 10 + "…"


@given(st.text(max_size=80), st.text(max_size=80))
def test_difference_keeps_the_text(value: str, other: str) -> None:
    assert "".join(segment.text for segment in mark_difference(value, other)) == value


def test_difference_marks_words() -> None:
    marked = mark_difference("It is surely, without any doubt, a whale.", "It is perhaps a whale.")
    assert [segment.text for segment in marked if segment.changed] == ["surely, without any doubt,"]


def test_difference_of_equal_or_unrelated_texts_is_not_marked() -> None:
    assert not any(segment.changed for segment in mark_difference("one two three", "one two three"))
    assert not any(segment.changed for segment in mark_difference("alpha beta gamma", "four five six seven"))


def test_difference_of_long_texts_is_quick() -> None:
    assert mark_difference("a b " * 100_000, "b a " * 100_000)[0].changed is False


def test_scale_is_linear_and_ends_inside_the_plot() -> None:
    scale = plots.Scale(-1.0, 1.0)
    assert scale.at(0) == 50
    assert scale.at(-5) == scale.at(-1) > 0
    assert scale.at(0.5) - scale.at(0) == pytest.approx(scale.at(1) - scale.at(0.5))


@given(st.floats(-3, 2.9), st.floats(0.01, 4), st.integers(2, 9))
def test_ticks_are_round_and_on_the_axis(low: float, width: float, most: int) -> None:
    ticks = plots.Scale(low, low + width).ticks(most)
    assert ticks == sorted(set(ticks))
    assert len(ticks) <= most + 1
    assert all(low - 1e-6 <= tick <= low + width + 1e-6 for tick in ticks)


def test_interval_is_drawn_where_the_numbers_are() -> None:
    scale = plots.Scale(-1, 1)
    drawn = str(plots.interval(Estimate(estimate=0.5, low=0.25, high=0.75), scale, "present", "effect", margin=0.05))
    assert f'x1="{scale.at(0.25)}%" x2="{scale.at(0.75)}%"' in drawn
    assert f'<svg x="{scale.at(0.5)}%"' in drawn
    assert "<title>effect</title>" in drawn
    assert "+0.500, 95% interval +0.250 to +0.750" in drawn


def test_interval_beyond_the_axis_ends_in_an_arrow() -> None:
    inside = str(plots.interval(Estimate(estimate=0, low=-1, high=1), plots.Scale(-2, 2), "present", "effect"))
    beyond = str(plots.interval(Estimate(estimate=0, low=-9, high=1), plots.Scale(-2, 2), "present", "effect"))
    assert "M5-4 0 0 5 4" in beyond
    assert "M5-4 0 0 5 4" not in inside


def test_interval_without_an_estimate_has_no_mark() -> None:
    drawn = str(plots.interval(Estimate(estimate=None), plots.Scale(-1, 1), "not_measurable", "effect"))
    assert "no estimate" in drawn
    assert "overflow" not in drawn


def test_labels_are_escaped() -> None:
    drawn = str(plots.interval(Estimate(estimate=0.1), plots.Scale(-1, 1), "present", "<script>"))
    assert "<script>" not in drawn


def test_histogram_bars_are_as_high_as_counts() -> None:
    data = Histogram(edges=[-1, 0, 1, 2], counts=[5, 10, 0])
    drawn = str(plots.histogram(data, "x", margin=0.05, mean=0.2))
    bars = re.findall(r"M(\d+) (\d+)h(\d+)v(\d+)h-(\d+)z", drawn)
    assert [int(tall) for *_, tall, _ in bars] == [500, 1000]  # an empty bin has none
    assert [int(top) for _, top, *_ in bars] == [500, 0]
    assert int(bars[0][0]) < int(bars[1][0])
    assert all(there == back for *_, there, _, back in bars)


def test_limit_of_detection_is_drawn_where_bias_would_be() -> None:
    scale = plots.Scale(-0.5, 0.5)

    def limits(bias: str, limit: float = 0.2) -> list[float]:
        drawn = str(plots.interval(Estimate(estimate=0.1), scale, "present", "x", bias=bias, limit=limit))
        return [float(at) for at in re.findall(r'class="limit" x1="([\d.]+)%"', drawn)]

    assert limits("+") == [scale.at(0.2)]
    assert limits("-") == [scale.at(-0.2)]
    assert limits("either") == [scale.at(-0.2), scale.at(0.2)]
    assert limits("either", 0.7) == []


def test_placebo_is_drawn_below_the_effect() -> None:
    scale, effect = plots.Scale(-1, 1), Estimate(estimate=0.5, low=0.4, high=0.6)
    placebo = Estimate(estimate=-0.1, low=-0.2, high=0.0)
    drawn = str(plots.interval(effect, scale, "present", "x", placebo=placebo))
    assert "+0.500, 95% interval +0.400 to +0.600; placebo \N{MINUS SIGN}0.100" in drawn
    assert drawn.index('y="34%"') < drawn.index('<g class="placebo">') < drawn.index('y="76%"')
    without = str(plots.interval(effect, scale, "present", "x", placebo=Estimate(estimate=None)))
    assert "placebo" not in without
    assert 'y="50%"' in without


def test_histogram_without_items_or_zero_is_drawn() -> None:
    drawn = str(plots.histogram(Histogram(edges=[1.0, 2.0], counts=[0]), "x", margin=0.05, mean=None))
    assert 'class="zero"' not in drawn


def test_every_state_has_a_shape_of_its_own() -> None:
    shapes = [re.sub(r".*?>", "", str(plots.icon(state)), count=1) for state in text.COVERAGE]
    assert len(set(shapes)) == len(text.COVERAGE)
    assert len({word.mark for word in text.COVERAGE.values()}) == len(text.COVERAGE)
    assert len({word.ascii_mark for word in text.COVERAGE.values()}) == len(text.COVERAGE)
