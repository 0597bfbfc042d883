import pytest
from hypothesis import given
from hypothesis import strategies as st

from blinkd.identity.views import ADVICE, FRONT_YAW_DEG, SIDE_YAW_DEG, missing, view_of

OTHER_SIDE = {"left": "right", "right": "left", "front": "front", None: None}


@pytest.mark.parametrize(
    ("yaw", "view"), [(0, "front"), (9.9, "front"), (-9.9, "front"), (15, "left"), (-15, "right"), (34, "left"), (36, None), (-43, None)]
)
def test_left_and_right_are_the_persons_own(yaw: float, view: str | None) -> None:
    assert view_of(yaw) == view


@given(yaw=st.floats(-90, 90))
def test_turning_the_other_way_and_a_mirror_each_swap_the_side(yaw: float) -> None:
    view = view_of(yaw)
    assert view_of(-yaw) == OTHER_SIDE[view]
    assert view_of(yaw, mirrored=True) == OTHER_SIDE[view]
    assert (view is None) == (abs(yaw) > SIDE_YAW_DEG)
    assert (view == "front") == (abs(yaw) <= FRONT_YAW_DEG)


def test_what_is_missing_has_an_advice_and_old_templates_count_for_nothing() -> None:
    assert missing(["front", "left", "right"]) == []
    assert missing(["unknown", "left"]) == ["front", "right"]
    assert "left" in ADVICE["left"]
    assert "right" in ADVICE["right"]
