"""What the daemon writes for the pages."""

import json
from select import PIPE_BUF

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blinkd.outputs.channel import HEAD, MAGIC, PictureInfo, head_of, info_of, line_of

TEXTS = st.text(max_size=400)


@given(values=st.dictionaries(st.sampled_from(["name", "reason", "words", "step", "outcome"]), TEXTS))
def test_a_line_is_short_enough_to_be_written_whole_and_is_one_line(values: dict[str, str]) -> None:
    line = line_of({"kind": "event", **values})
    assert len(line) <= PIPE_BUF
    assert line.count(b"\n") == 1
    assert line.endswith(b"\n")
    assert json.loads(line)["kind"] == "event"


def test_a_name_of_the_longest_kind_comes_whole() -> None:
    name = "\N{GRINNING FACE}" * 200  # four bytes each
    assert json.loads(line_of({"kind": "event", "name": name}))["name"] == name


def test_texts_that_have_no_room_together_are_cut_and_it_is_seen() -> None:
    parts = [[f"part{number}", "failed", "\N{ARABIC LETTER AIN}" * 300] for number in range(20)]
    line = line_of({"kind": "health", "parts": parts})
    said = json.loads(line)
    assert len(line) <= PIPE_BUF
    assert [part[:2] for part in said["parts"]] == [part[:2] for part in parts]
    assert all(part[2].endswith("…") for part in said["parts"])


def test_half_a_character_does_not_stop_a_line() -> None:
    assert json.loads(line_of({"kind": "event", "name": "a\ud800b"}))["name"] == "a?b"


def test_the_head_of_a_picture_is_read_back() -> None:
    info = PictureInfo(12.5, 640, 480, (0.1, 0.2, 0.3, 0.4), "tracking", "closer", mirrored=True)
    head = head_of(info, 1234)
    magic, info_bytes, jpeg_bytes = HEAD.unpack(head[: HEAD.size])
    assert (magic, jpeg_bytes) == (MAGIC, 1234)
    assert info_of(head[HEAD.size : HEAD.size + info_bytes]) == info


@pytest.mark.parametrize("text", [b"", b"[]", b"{}", b'{"box": 5}', b'{"box": [1], "t": 1}'])
def test_another_head_is_refused(text: bytes) -> None:
    with pytest.raises(ValueError):
        info_of(text)
