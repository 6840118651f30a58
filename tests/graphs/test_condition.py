"""Conditions as they are written, read and checked."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphs.condition import Condition, contradictions, parse_condition
from graphs.errors import InvalidOption

FINITE = st.floats(allow_nan=False, allow_infinity=False)
NAMES = st.text(st.characters(exclude_characters="<>=!", exclude_categories=("Z", "C")), min_size=1, max_size=12)
CONDITIONS = st.builds(Condition, NAMES, st.sampled_from(["<=", ">="]), FINITE)


@given(CONDITIONS)
def test_a_condition_is_read_as_it_was_written(condition: Condition) -> None:
    assert parse_condition(condition.text) == condition


@given(CONDITIONS, st.lists(st.sampled_from(["", " ", "\t"]), min_size=4, max_size=4))
def test_spaces_do_not_matter(condition: Condition, gaps: list[str]) -> None:
    before, left, right, after = gaps
    text = f"{before}{condition.name}{left}{condition.operator}{right}{condition.value!r}{after}"
    assert parse_condition(text) == condition


def test_conditions_as_users_write_them() -> None:
    assert parse_condition("params<=1.0") == Condition("params", "<=", 1.0)
    assert parse_condition("accuracy >= 94").text == "accuracy>=94"
    assert parse_condition("latency<=2e-3").text == "latency<=0.002"
    assert parse_condition("gain>=-0.5") == Condition("gain", ">=", -0.5)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("latency<=5ms", 5.0),
        ("latency <= 0.5 s", 500.0),
        ("latency<=250us", 0.25),
        ("params<=1.5M", 1.5),
        ("params<=800K", 0.8),
        ("macs<=2.G", 2000.0),
        ("valid_accuracy>=94%", 94.0),
        ("train_seconds<=30s", 30.0),
    ],
)
def test_a_unit_may_follow(text: str, value: float) -> None:
    assert parse_condition(text).value == pytest.approx(value)


@pytest.mark.parametrize("text", ["latency<=5M", "params<=1ms", "score<=5ms", "latency<=ms", "latency<=infms"])
def test_a_unit_of_something_else_is_refused(text: str) -> None:
    with pytest.raises(InvalidOption, match="is not a number"):
        parse_condition(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("params<1", "use <= in place of <"),
        ("params > 1", "use >= in place of >"),
        ("params=1", "'=' is neither"),
        ("params==1", "'==' is neither"),
        ("params=<1", "'=<' is neither"),
        ("params!=1", "'!=' is neither"),
        ("params<=", "nothing is not a number"),
        ("params<=one", "one is not a number"),
        ("params<=1,0", "1,0 is not a number"),
        ("0<=params<=1", "params<=1 is not a number"),
        ("params<=nan", "nan is not finite"),
        ("params>=-inf", "-inf is not finite"),
        ("params<=1e999", "1e999 is not finite"),
        ("<=1", "condition '<=1'"),
        (" >= 1", "condition ' >= 1'"),
        ("number of params<=1", "condition 'number of params<=1'"),
        ("params 1", "condition 'params 1'"),
        ("", "condition ''"),
    ],
)
def test_other_forms_are_refused(text: str, message: str) -> None:
    with pytest.raises(InvalidOption, match="expected a name, <= or >=, and a finite number") as refused:
        parse_condition(text)
    assert message in str(refused.value)


@pytest.mark.parametrize("parts", [("", "<=", 1.0), ("a b", "<=", 1.0), ("a<", ">=", 1.0), ("a", "<=", math.nan)])
def test_a_condition_that_could_not_be_read_back_cannot_be_made(parts: tuple[str, str, float]) -> None:
    with pytest.raises(InvalidOption, match="expected a name"):
        Condition(*parts)


@given(CONDITIONS, st.lists(st.floats(), max_size=5))
def test_holds_on_numbers_and_arrays(condition: Condition, values: list[float]) -> None:
    values = [*values, condition.value, math.nan]
    expected = [not v > condition.value if condition.operator == "<=" else not v < condition.value for v in values]
    expected = [kept and not math.isnan(v) for kept, v in zip(expected, values, strict=True)]
    assert [condition.holds(v) for v in values] == expected
    assert condition.holds(np.array(values)).tolist() == expected
    assert expected[-2:] == [True, False]


@given(
    st.lists(st.builds(Condition, st.sampled_from("ab"), st.sampled_from(["<=", ">="]), st.integers(-3, 3).map(float)))
)
def test_conditions_contradict_where_no_number_meets_them(conditions: list[Condition]) -> None:
    """Bounds are whole, so a name can be met exactly when one of the whole numbers does it."""
    met = all(any(all(c.holds(float(v)) for c in conditions if c.name == name) for v in range(-3, 4)) for name in "ab")
    if met:
        contradictions(conditions)
    else:
        with pytest.raises(InvalidOption, match=r"no [ab] meets both"):
            contradictions(conditions)


def test_the_two_that_contradict_are_named() -> None:
    conditions = [parse_condition(text) for text in ("params<=1", "accuracy>=94", "params<=3", "params>=2")]
    with pytest.raises(InvalidOption, match="no params meets both params<=1 and params>=2"):
        contradictions(conditions)
