"""The page on the display, in a browser, with the daemon's side of the channel in the test's hands."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from blinkd.session.events import RefusalReason
from blinkd.web.languages import load_language
from tests.browser.faults import serious_faults
from tests.browser.stage import Stage, staged

SIZES = ((480, 320), (800, 480), (1024, 600), (1280, 800), (1080, 1920))
# Every size once, and every language on the one with the least room and on the narrowest
DISPLAYS = [(*size, "en") for size in SIZES] + [(*size, language) for size in (SIZES[0], SIZES[-1]) for language in ("es", "ar")]
ENGLISH = load_language("en").texts["kiosk"]
LEAST_TARGET = 48
GREETINGS = 40  # that are timed; the figures are an artefact, for a machine that tests is busy
# At 2 m letters of 5 mm are read without effort (9 arc minutes). Displays of terminals are 3.5 to 15 inches; on the smallest, 49 mm high,
# capitals of 5 mm are 10 % of the shorter side, and a font is 1.4 times as large as its capitals
LEAST_WORDS = 0.11
EVIL = (
    "<img src=x onerror=\"document.title='owned'\">",
    "<script>document.title='owned'</script>",
    "\"><svg onload=document.title='owned'>",
    "{{7*7}} ${7*7} javascript:alert(1)",
    "Sam <b>Sample</b> & 'Sons' \u202egnol",
)
EARS = """
window.tones = [];
const create = AudioContext.prototype.createOscillator;
AudioContext.prototype.createOscillator = function () {
  const made = create.call(this);
  const start = made.start.bind(made);
  made.start = (at) => { window.tones.push(Math.round(made.frequency.value)); start(at); };
  return made;
};
"""
# What is shown and does not fit: [what, why]
CLIPPED = """() => {
  const wrong = [];
  const wide = document.documentElement.clientWidth, high = document.documentElement.clientHeight;
  for (const part of document.querySelectorAll(".stage p, .stage .icon, .marks li, .clock, .foot button, .foot p")) {
    const style = getComputedStyle(part), box = part.getBoundingClientRect();
    if (style.visibility === "hidden" || box.width === 0 || part.closest("[hidden]")) continue;
    const named = part.id || part.className.baseVal || part.className;
    if (box.left < -1 || box.top < -1 || box.right > wide + 1 || box.bottom > high + 1) wrong.push([named, "outside"]);
    const stage = document.querySelector(".stage").getBoundingClientRect();
    if (part.closest(".stage") && (box.top < stage.top - 1 || box.bottom > stage.bottom + 1)) wrong.push([named, "cut"]);
    if (part.matches("p:not(.last)") && part.scrollWidth > part.clientWidth + 1) wrong.push([named, "too wide"]);
  }
  return wrong;
}"""


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with staged(tmp_path) as made:
        yield made


def opened(page: Page, stage: Stage, query: str = "") -> Page:
    page.goto(f"{stage.url}/kiosk{query}")
    shown(page, "idle")
    return page


def shown(page: Page, view: str) -> None:
    expect(page.locator("#kiosk")).to_have_attribute("data-view", view)


def letters(page: Page, selector: str) -> float:
    """Size of the letters, as a share of the display's shorter side."""
    size = page.locator(selector).evaluate("part => parseFloat(getComputedStyle(part).fontSize)")
    viewport = page.viewport_size
    assert viewport is not None
    return float(size) / min(viewport["width"], viewport["height"])


@pytest.mark.parametrize(("width", "height", "language"), DISPLAYS)
def test_everything_is_large_whole_and_hit_by_a_finger_on_every_display(
    page: Page, tmp_path: Path, screens: Path, width: int, height: int, language: str
) -> None:
    page.set_viewport_size({"width": width, "height": height})
    with staged(tmp_path, greeting_s=60, language=language, theme="dark" if language == "ar" else "bright") as stage:
        opened(page, stage)

        def look(view: str, words: str | None, least: float = LEAST_WORDS) -> None:
            shown(page, view.split("-", maxsplit=1)[0])
            assert page.evaluate(CLIPPED) == [], view
            if words is not None:
                assert letters(page, words) >= least, view
            page.screenshot(path=screens / f"kiosk-{language}-{width}x{height}-{view}.png")

        look("idle", "#big-clock")
        stage.film()
        stage.say("session_started")
        shown(page, "guide")
        expect(page.locator("#guide-words")).to_have_text(load_language(language).texts["kiosk"]["look_here"])
        look("guide", "#guide-words")
        stage.say("challenge", step="turn_left", number=1, of=2, seconds=60)
        expect(page.locator("#guide-step")).not_to_be_empty()
        look("guide-turn", "#guide-words", LEAST_WORDS * 0.7)
        stage.say("punch", person_id="E-1", name="Sam Sample", status="CHECK_IN", punctuality="LATE", minutes=74, seq=1)
        shown(page, "greeting")
        expect(page.locator("#greeting-name")).to_have_text("Sam Sample")
        look("greeting", "#greeting-name", LEAST_WORDS * 0.8)
        stage.say("refused", 0, reason="not_live")
        shown(page, "refusal")
        look("refusal", "#refusal-title", LEAST_WORDS * 0.55)
        for button in page.locator("button:visible").all():
            box = button.bounding_box()
            assert box is not None
            assert min(box["width"], box["height"]) >= LEAST_TARGET
    with staged(tmp_path, language=language) as stage:
        page.goto(f"{stage.url}/kiosk")
        stage.health(("camera", "failed"), ("sync", "degraded"), ("clock", "degraded"), pending=12)
        shown(page, "trouble")
        assert page.evaluate(CLIPPED) == []
        page.screenshot(path=screens / f"kiosk-{language}-{width}x{height}-trouble.png")


def test_every_refusal_says_in_its_own_words_what_to_do(page: Page, stage: Stage) -> None:
    opened(page, stage)
    for reason in (*get_args(RefusalReason), "a reason of tomorrow"):
        key = reason if f"refused_{reason}" in ENGLISH else "other"
        stage.say("refused", 0, reason=reason)
        expect(page.locator("#refusal-title")).to_have_text(ENGLISH[f"refused_{key}"])
        expect(page.locator("#refusal-do")).to_have_text(ENGLISH[f"refused_{key}_do"])
        shown(page, "refusal")


def test_a_visit_is_guided_one_instruction_at_a_time(page: Page, stage: Stage) -> None:
    opened(page, stage)
    words = page.locator("#guide-words")
    stage.say("session_started")
    expect(words).to_have_text("Look here")
    stage.say("identified", person_id="E-1", name="Sam Sample")
    expect(words).to_have_text("Blink")
    for step, said in (
        ("blink_twice", "Blink twice"),
        ("turn_left", "Turn left"),
        ("turn_right", "Turn right"),
        ("come_closer", "Come closer"),
    ):
        stage.say("challenge", step=step, number=2, of=3, seconds=6.0)
        expect(words).to_have_text(said)
        expect(page.locator("#guide-step")).to_have_text("Step 2 of 3")
    stage.say("liveness", live=True)
    expect(words).to_have_text("Hold still")
    assert "Sam Sample" not in page.locator("#kiosk").inner_text(), "nobody is named before the decision"
    stage.say("session_ended", outcome="left")
    shown(page, "idle")


def test_who_is_too_far_away_is_asked_to_come_closer(page: Page, stage: Stage) -> None:
    opened(page, stage)
    stage.film(state="idle", hint="closer")
    expect(page.locator("#guide-words")).to_have_text("Come closer")


def test_the_mirror_shows_the_camera_s_picture_the_other_way_round_with_brackets(page: Page, stage: Stage) -> None:
    opened(page, stage)
    stage.film()
    stage.say("session_started")
    shown(page, "guide")
    colour = """() => {
      const canvas = document.getElementById("mirror"), context = canvas.getContext("2d");
      return [...context.getImageData(canvas.width / 2, canvas.height / 2, 1, 1).data];
    }"""
    page.wait_for_function(f"() => ({colour})()[0] > 150")  # the face's colour, BGR (120, 150, 190)
    red, green, blue, _ = page.evaluate(colour)
    assert red > green > blue


def test_in_and_out_and_late_and_refused_differ_by_colour_by_shape_and_by_sound(page: Page, stage: Stage) -> None:
    page.add_init_script(EARS)
    opened(page, stage)
    found: dict[str, tuple[str, str, tuple[int, ...]]] = {}

    def note(name: str, view: str, words: str) -> None:
        shown(page, view)
        expect(page.locator("#kiosk")).to_contain_text(words)
        page.wait_for_function("() => window.tones.length > 0")
        colour = page.locator(f".{view}").evaluate("part => getComputedStyle(part).backgroundColor")
        mark = "#punctuality-icon use" if name == "late" else f"#{view}-icon use"
        found[name] = (colour, str(page.locator(mark).get_attribute("href")), tuple(page.evaluate("window.tones.splice(0)")))

    stage.say("punch", 0, name="A", status="CHECK_IN", punctuality="ON_TIME", minutes=0, seq=1)
    note("in", "greeting", "IN")
    stage.say("punch", 0, name="B", status="CHECK_OUT", punctuality="OVERTIME", minutes=5, seq=2)
    note("out", "greeting", "OUT")
    stage.say("punch", 0, name="C", status="CHECK_IN", punctuality="LATE", minutes=5, seq=3)
    note("late", "greeting", "5 min late")
    stage.say("refused", 0, reason="unknown_face")
    note("refused", "refusal", ENGLISH["refused_unknown_face"])
    stage.say("refused", 0, reason="too_soon")
    note("again", "refusal", ENGLISH["refused_too_soon"])
    assert len({shape for _, shape, _ in found.values()}) == len(found)
    assert len({tones for _, _, tones in found.values()}) == len(found)
    assert len({found[name][0] for name in ("in", "out", "refused", "again")}) == 4


def test_where_no_sound_is_wanted_there_is_none(page: Page, tmp_path: Path) -> None:
    page.add_init_script(EARS)
    with staged(tmp_path, sound=False) as stage:
        opened(page, stage)
        stage.greet("Sam Sample")
        shown(page, "greeting")
        assert page.evaluate("window.tones") == []


@pytest.mark.parametrize("name", EVIL)
def test_a_name_is_text_whatever_it_holds(page: Page, stage: Stage, name: str) -> None:
    opened(page, stage)
    elements = "document.querySelectorAll('#kiosk *').length"
    stage.greet("Sam Sample")
    shown(page, "greeting")
    before = page.evaluate(elements)
    stage.greet(name, seq=2)
    expect(page.locator("#greeting-name")).to_have_text(name)
    assert page.evaluate(elements) == before
    page.locator("#not-me").click()
    expect(page.locator("#really-words")).to_contain_text(re.sub(r"\s+", " ", name))
    page.reload()  # what has just happened comes by another way then
    expect(page.locator("#greeting-name")).to_have_text(name)
    assert page.title() == ENGLISH["title"]


@pytest.mark.parametrize("name", ["W" * 200, "Donaudampfschifffahrtsgesellschaft Kapitänsmütze", "عبد الرحمن بن محمد الطويل جدا " * 5])
def test_a_long_name_has_room(page: Page, stage: Stage, name: str) -> None:
    page.set_viewport_size({"width": 480, "height": 320})
    opened(page, stage)
    stage.greet(name, punctuality="EARLY_LEAVE", status="CHECK_OUT", minutes=130)
    shown(page, "greeting")
    expect(page.locator("#punctuality-words")).to_have_text("2 h 10 min early")
    assert page.evaluate(CLIPPED) == []


def test_arabic_is_written_from_the_right_and_left_stays_left(page: Page, tmp_path: Path) -> None:
    with staged(tmp_path, language="ar", greeting_s=60) as stage:
        opened(page, stage)
        assert page.locator("html").get_attribute("dir") == "rtl"
        stage.say("session_started")
        stage.say("challenge", step="turn_left", number=1, of=2, seconds=6)
        expect(page.locator("#guide-words")).to_have_text(load_language("ar").texts["kiosk"]["turn_left"])
        assert str(page.locator("#guide-icon use").get_attribute("href")).endswith("#left")
        icon, words = page.locator("#guide-icon").bounding_box(), page.locator("#guide-words").bounding_box()
        assert icon is not None
        assert words is not None
        assert icon["x"] > words["x"] + words["width"] - 1
        stage.greet("Sam Sample")
        shown(page, "greeting")
        button = page.locator("#not-me").bounding_box()
        assert button is not None
        assert button["x"] < 100


def test_what_does_not_work_is_said_in_words(page: Page, stage: Stage) -> None:
    opened(page, stage)
    for part in ("camera", "vision", "store"):
        stage.health((part, "failed"))
        expect(page.locator("#trouble-title")).to_have_text(ENGLISH[f"trouble_{part}"])
        shown(page, "trouble")
    stage.health(("camera", "failed"), ("store", "failed"))  # the worst first
    expect(page.locator("#trouble-title")).to_have_text(ENGLISH["trouble_store"])
    stage.health(("sync", "degraded"), ("clock", "degraded"), ("store", "degraded"), ("door", "failed"), pending=1234)
    shown(page, "idle")
    said = page.locator("#marks").inner_text()
    for key in ("clock_unsure", "store_low", "door_failed"):
        assert ENGLISH[key] in said
    assert "Offline: 1,234 kept here" in said
    stage.health()
    expect(page.locator("#marks li")).to_have_count(0)


def test_a_terminal_with_pins_says_so_where_they_help(page: Page, tmp_path: Path) -> None:
    with staged(tmp_path, greeting_s=1) as stage:
        entry = stage.settings.entry.model_copy(update={"enabled": True})
        stage.settings = stage.settings.model_copy(update={"entry": entry})
        stage.close()
        stage.open()
        stage.health(("entry", "ok"))
        opened(page, stage)
        stage.say("refused", 0, reason="unknown_face")
        expect(page.locator("#refusal-do")).to_have_text(ENGLISH["refused_unknown_face_do_entry"])
        stage.health(("entry", "ok"), ("camera", "failed"))
        expect(page.locator("#trouble-do")).to_have_text(ENGLISH["trouble_camera_do_entry"])


def test_a_lost_websocket_is_said_and_tried_again_with_growing_waits_until_it_is_back(page: Page, stage: Stage) -> None:
    # waits are noted, and made short
    page.add_init_script(
        "window.waits = []; const later = window.setTimeout; "
        "window.setTimeout = (work, ms) => { window.waits.push(ms); return later(work, ms / 20); };"
    )
    opened(page, stage)
    stage.close()
    shown(page, "trouble")
    expect(page.locator("#trouble-title")).to_have_text(ENGLISH["trouble_link"])
    page.wait_for_function("() => window.waits.length >= 8")
    waits = page.evaluate("() => window.waits")
    assert 300 <= waits[0] <= 700
    assert all(wait / waits[0] >= 2 for wait in waits[3:])
    assert max(waits) <= 12_500
    stage.open()
    stage.health()
    shown(page, "idle")
    stage.greet("Sam Sample")
    shown(page, "greeting")


def test_a_daemon_that_says_nothing_any_more_is_noticed(page: Page, stage: Stage) -> None:
    page.clock.install()
    opened(page, stage)
    page.clock.fast_forward(6_000)
    expect(page.locator("#trouble-title")).to_have_text(ENGLISH["trouble_silent"])
    stage.health()
    page.clock.run_for(500)
    shown(page, "idle")


def test_a_greeting_goes_and_not_me_stays_until_it_is_too_late(page: Page, stage: Stage) -> None:
    page.clock.install()
    opened(page, stage)
    stage.greet("Sam Sample")
    shown(page, "greeting")
    assert page.locator("#last").inner_text() == ""
    page.clock.fast_forward(5_200)
    stage.health()
    page.clock.run_for(300)
    shown(page, "idle")
    expect(page.locator("#last")).to_contain_text("Sam Sample")
    expect(page.locator("#not-me")).to_be_visible()
    page.clock.fast_forward(25_000)
    page.clock.run_for(300)
    expect(page.locator("#not-me")).to_be_hidden()


def test_the_next_person_is_guided_when_the_greeting_has_been_read(page: Page, stage: Stage) -> None:
    page.clock.install()
    opened(page, stage)
    stage.greet("Sam Sample")
    stage.say("session_started")
    stage.say("challenge", step="blink_twice", number=1, of=1, seconds=6)
    shown(page, "greeting")
    page.clock.fast_forward(2_100)
    shown(page, "guide")
    expect(page.locator("#guide-words")).to_have_text("Blink twice")


def test_not_me_is_asked_once_more_and_works_by_keyboard(page: Page, stage: Stage) -> None:
    opened(page, stage)
    stage.greet("Sam Sample")
    shown(page, "greeting")
    page.keyboard.press("Tab")
    expect(page.locator("#not-me")).to_be_focused()
    outline = page.locator("#not-me").evaluate("part => parseFloat(getComputedStyle(part).outlineWidth)")
    assert outline >= 2
    page.keyboard.press("Enter")
    expect(page.locator("#really")).to_be_visible()
    expect(page.locator("#really-no")).to_be_focused()  # the harmless one
    assert page.locator("#really").get_by_role("button").count() == 2
    page.keyboard.press("Escape")
    expect(page.locator("#really")).to_be_hidden()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    # there is no such punch in the book: said in words
    expect(page.locator("#really-answer")).to_have_text(ENGLISH["not_me_too_late"])


def test_who_wants_no_movement_sees_none_and_reads_the_same(page: Page, stage: Stage) -> None:
    page.emulate_media(reduced_motion="reduce")
    opened(page, stage)
    stage.say("session_started")
    stage.say("challenge", step="turn_right", number=1, of=2, seconds=6)
    expect(page.locator("#guide-words")).to_have_text("Turn right")
    expect(page.locator("#countdown")).to_be_hidden()
    moving = "document.getAnimations().filter(one => one.playState === 'running').length"
    assert page.evaluate(moving) == 0
    page.emulate_media(reduced_motion="no-preference")
    stage.say("challenge", step="turn_left", number=2, of=2, seconds=6)
    expect(page.locator("#guide-words")).to_have_text("Turn left")
    expect(page.locator("#countdown")).to_be_visible()
    assert page.evaluate(moving) == 1


def test_the_time_from_a_decision_to_the_painted_greeting_is_kept_beside_the_screenshots(page: Page, stage: Stage, screens: Path) -> None:
    opened(page, stage)
    for number in range(1, GREETINGS + 1):
        stage.greet(f"Sam Sample {number}", seq=number)
        page.wait_for_function(f"() => performance.getEntriesByName('greeting').length === {number}")
    spent = page.evaluate("() => performance.getEntriesByName('greeting').map((one) => one.detail.ms)")
    assert len(spent) == GREETINGS
    p50, p95 = (float(value) for value in np.percentile(spent, (50, 95)))
    figures = {"decision_to_painted_ms": {"p50": p50, "p95": p95}, "greetings": GREETINGS}
    (screens.parent / "kiosk-latency.json").write_text(json.dumps(figures) + "\n")


@pytest.mark.parametrize("theme", ["bright", "dark"])
def test_axe_finds_no_serious_fault_in_any_view(page: Page, tmp_path: Path, theme: str) -> None:
    with staged(tmp_path, theme=theme, greeting_s=60) as stage:
        opened(page, stage)
        faults: dict[str, Any] = {"idle": serious_faults(page)}
        stage.say("session_started")
        stage.say("challenge", step="turn_left", number=1, of=2, seconds=60)
        shown(page, "guide")
        faults["guide"] = serious_faults(page)
        stage.say("punch", name="Sam Sample", status="CHECK_IN", punctuality="LATE", minutes=7, seq=1)
        shown(page, "greeting")
        faults["greeting"] = serious_faults(page)
        page.locator("#not-me").click()
        faults["really"] = serious_faults(page)
        page.keyboard.press("Escape")
        stage.say("refused", 0, reason="unknown_face")
        shown(page, "refusal")
        faults["refusal"] = serious_faults(page)
    with staged(tmp_path, theme=theme) as stage:
        page.goto(f"{stage.url}/kiosk")
        stage.health(("store", "failed"), ("sync", "failed"), ("clock", "degraded"))
        shown(page, "trouble")
        faults["trouble"] = serious_faults(page)
    assert {view: found for view, found in faults.items() if found} == {}
