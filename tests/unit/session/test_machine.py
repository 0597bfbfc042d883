"""The session's decisions, each reason by itself."""

import pytest

from blinkd.attendance.punch import TurnedAway
from blinkd.settings import LivenessSettings, SessionSettings, Settings
from tests.unit.session.fakes import FPS, STEP, Look, Stage, kinds, reasons

NOBODY = Look(who=None)


def test_a_known_person_who_blinks_is_checked_in_once_and_the_session_ends() -> None:
    stage = Stage()
    events = stage.rest(1.0) + stage.blink() + stage.rest(0.5)
    assert kinds(events) == ["session_started", "identified", "blink", "liveness", "punch", "session_ended"]
    assert stage.desk.attended == ["ann"]
    assert stage.desk.refused == []
    punch = events[-2]
    assert punch.details["name"] == "Ann"
    assert punch.details["similarity"] == pytest.approx(1.0)
    assert punch.details["elapsed_s"] == pytest.approx(punch.t, abs=2 * STEP)
    assert stage.desk.evidence[0]["blinks"] == 1
    assert stage.machine.state == "accepted"


def test_nobody_before_the_camera_gives_nothing() -> None:
    stage = Stage()
    assert stage.rest(20, NOBODY) == []
    assert stage.machine.state == "idle"
    assert stage.reader.embedded == []


def test_no_blink_is_refused_as_not_live_at_the_timeout() -> None:
    stage = Stage()
    events = stage.rest(10.2)
    assert reasons(events) == ["not_live"]
    assert stage.desk.refused == [("not_live", "ann")]
    refused = next(event for event in events if event.kind == "refused")
    assert refused.details["elapsed_s"] == pytest.approx(10.0, abs=2 * STEP)
    assert refused.details["frames"] == pytest.approx(10 * FPS, abs=2)
    assert [event.details["live"] for event in events if event.kind == "liveness"] == [False]


def test_a_stranger_is_refused_before_the_timeout_and_no_name_is_given() -> None:
    stage = Stage()
    events = stage.rest(3, Look("stranger"))
    assert reasons(events) == ["unknown_face"]
    assert stage.desk.refused == [("unknown_face", None)]
    refused = next(event for event in events if event.kind == "refused")
    assert "person_id" not in refused.details
    assert refused.t < 3


def test_who_is_only_similar_is_uncertain_even_after_blinking() -> None:
    stage = Stage()
    events = stage.rest(1, Look("like ann")) + stage.blink(Look("like ann")) + stage.rest(9.2, Look("like ann"))
    assert reasons(events) == ["uncertain"]
    assert stage.desk.attended == []
    assert "identified" not in kinds(events)


def test_pictures_too_bad_to_embed_are_refused_as_poor_quality() -> None:
    stage = Stage()
    events = stage.rest(10.2, Look(quality=0.1))
    assert reasons(events) == ["poor_quality"]
    assert stage.reader.embedded == []


@pytest.mark.parametrize("reason", ["inactive", "too_soon"])
def test_what_the_desk_says_no_to_is_refused_with_its_reason(reason: str) -> None:
    stage = Stage()
    stage.desk.answer = TurnedAway(reason)
    events = stage.rest(1) + stage.blink() + stage.rest(0.5)
    assert reasons(events) == [reason]
    assert "punch" not in kinds(events)
    assert stage.desk.refused == [], "the desk has written it down itself"
    assert kinds(events)[-1] == "session_ended"


@pytest.mark.parametrize("second", ["bob", "stranger"])
def test_another_face_on_the_same_track_ends_the_session_as_swapped(second: str) -> None:
    stage = Stage()
    events = stage.rest(1) + stage.rest(1, Look(second))
    assert reasons(events) == ["swapped"]
    assert stage.desk.attended == []


def test_one_odd_embedding_is_forgiven() -> None:
    stage = Stage()
    stage.rest(1)
    odd = len(stage.reader.embedded)
    while stage.reader.embedded[odd:].count("stranger") == 0:
        stage.play(Look("stranger"))
    events = stage.rest(0.5) + stage.blink() + stage.rest(0.5)
    assert kinds(events)[-2:] == ["punch", "session_ended"]


def test_a_blink_before_the_first_embedding_proves_nothing_about_who_is_recognised() -> None:
    stage = Stage()
    unclear = Look(quality=0.1)
    events = stage.rest(1, unclear) + stage.blink(unclear) + stage.rest(1)
    assert "blink" in kinds(events)
    assert "identified" in kinds(events)
    assert "punch" not in kinds(events)


def test_a_blink_counts_only_when_an_embedding_after_it_agrees() -> None:
    stage = Stage()
    unclear = Look(quality=0.1)
    events = stage.rest(1) + stage.blink()
    assert "blink" in kinds(events)
    assert "punch" not in kinds(events)
    assert "punch" not in kinds(stage.rest(0.3, unclear))
    assert "punch" in kinds(stage.rest(0.3))


def test_a_face_that_comes_for_the_blink_alone_is_found_out() -> None:
    stage = Stage()
    events = stage.rest(1)
    assert "identified" in kinds(events)
    events += stage.blink(Look("stranger")) + stage.rest(1)
    assert "blink" in kinds(events)
    assert "punch" not in kinds(events)
    assert reasons(events) == ["swapped"]


def test_closed_eyes_of_another_face_are_no_blink_of_the_first() -> None:
    stage = Stage()
    events = stage.rest(1) + stage.play(*[Look("stranger", ear=0.05)] * 2) + stage.rest(9.2)
    assert "blink" in kinds(events)
    assert "punch" not in kinds(events)
    assert set(reasons(events)) <= {"not_live", "swapped"}


def test_a_new_track_starts_the_evidence_anew() -> None:
    stage = Stage()
    second = Look(track=2)
    events = stage.rest(1) + stage.blink() + stage.rest(1, second)
    assert "punch" not in kinds(events), "the blink was on the first track"
    assert kinds(events).count("session_started") == 1
    assert "punch" in kinds(stage.blink(second) + stage.rest(0.5, second))


def test_another_person_on_a_new_track_of_the_same_visit_is_a_swap() -> None:
    stage = Stage()
    events = stage.rest(1) + stage.rest(1, Look("bob", track=2))
    assert reasons(events) == ["swapped"]
    assert stage.desk.attended == []


def test_whoever_punched_is_left_alone_while_their_track_lasts() -> None:
    stage = Stage()
    stage.rest(1)
    stage.blink()
    assert "punch" in kinds(stage.rest(0.5))
    assert stage.rest(30) + stage.blink() + stage.rest(1) == []
    assert stage.desk.attended == ["ann"]


def test_after_a_refusal_the_same_track_may_try_again_once_the_cooldown_is_over() -> None:
    stage = Stage(Settings(session=SessionSettings(timeout_s=2, cooldown_s=3)))
    refused = next(event.t for event in stage.rest(2.2) if event.kind == "refused")
    started = next(event.t for event in stage.rest(5) if event.kind == "session_started")
    assert started - refused == pytest.approx(3, abs=2 * STEP)


def test_a_passer_by_leaves_no_refusal() -> None:
    stage = Stage()
    events = stage.rest(0.1) + stage.rest(1.5, NOBODY)
    assert kinds(events) == ["session_started", "session_ended"]
    assert events[-1].details["outcome"] == "left"
    assert stage.desk.refused == []
    assert stage.machine.state == "idle"


def test_who_leaves_undecided_after_being_looked_at_is_refused_when_lost() -> None:
    stage = Stage()
    events = stage.rest(2) + stage.rest(1.5, NOBODY)
    assert reasons(events) == ["not_live"]
    lost = next(event.t for event in events if event.kind == "refused")
    assert lost == pytest.approx(2.0 + 0.7, abs=3 * STEP)


def test_a_short_gap_does_not_end_the_session() -> None:
    stage = Stage()
    events = stage.rest(1) + stage.rest(0.5, NOBODY) + stage.rest(0.5) + stage.blink() + stage.rest(0.5)
    assert kinds(events).count("session_started") == 1
    assert "punch" in kinds(events)


def test_who_has_just_punched_and_turns_away_is_not_refused() -> None:
    stage = Stage()
    events = stage.rest(1) + stage.blink() + stage.rest(0.5)
    assert "punch" in kinds(events)
    leaving = stage.rest(1, Look(track=2)) + stage.rest(1.5, NOBODY)
    assert reasons(leaving) == []
    assert kinds(leaving) == ["session_started", "identified", "session_ended"]


def test_a_face_too_small_begins_no_session() -> None:
    stage = Stage()
    assert stage.rest(2, Look(size=0.2)) == []
    assert kinds(stage.play(Look())) == ["session_started"]


def test_finish_closes_an_open_session_and_only_an_open_one() -> None:
    stage = Stage()
    assert stage.machine.finish(0.0) == []
    stage.rest(2)
    assert stage.machine.active
    events = stage.machine.finish(stage.t)
    assert kinds(events)[-1] == "session_ended"
    assert reasons(events) == ["not_live"]
    assert not stage.machine.active
    assert stage.machine.finish(stage.t) == []


@pytest.mark.parametrize(("who", "looks"), [("ann", 2), ("nearly ann", 3)])
def test_few_looks_are_enough_where_the_similarity_is_far_beyond_the_threshold(who: str, looks: int) -> None:
    stage = Stage(Settings(liveness=LivenessSettings(policy="none")))
    assert "punch" in kinds(stage.rest(1, Look(who)))
    assert stage.reader.embedded == [who] * looks


def test_whoever_resembles_nobody_is_refused_sooner_than_whoever_might_yet_be_known() -> None:
    far, near = Stage(), Stage()
    far.rest(2.1, Look("stranger"))
    assert len(far.reader.embedded) >= 3
    assert far.desk.refused == [("unknown_face", None)]
    slow = Settings(session=SessionSettings(embed_every_ms=500))
    far, near = Stage(slow), Stage(slow)
    assert reasons(far.rest(2.3, Look("stranger"))) == ["unknown_face"]
    assert reasons(near.rest(2.3, Look("distantly ann"))) == []
    assert reasons(near.rest(2, Look("distantly ann"))) == ["unknown_face"]


def test_sessions_are_numbered_and_every_one_that_starts_ends() -> None:
    stage = Stage(Settings(session=SessionSettings(timeout_s=1, cooldown_s=1)))
    events = stage.rest(10) + stage.machine.finish(stage.t)
    started = [event.session for event in events if event.kind == "session_started"]
    ended = [event.session for event in events if event.kind == "session_ended"]
    assert started == ended == list(range(1, len(started) + 1))
    assert len(started) >= 4


@pytest.mark.parametrize("who", ["ann", "stranger"])
def test_who_is_to_be_registered_is_neither_punched_nor_refused(who: str) -> None:
    stage = Stage()
    events = stage.rest(1.5, Look(who)) + stage.machine.abandon(stage.t)
    assert kinds(events)[-1] == "session_ended"
    assert events[-1].details["outcome"] == "left"
    assert (stage.desk.attended, stage.desk.refused) == ([], [])
    assert not stage.machine.active
    assert stage.machine.abandon(stage.t) == []
