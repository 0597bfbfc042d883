"""What /proc/cpuinfo says about INT8."""

from pathlib import Path

import pytest

from blinkd.models.processor import int8_expected_faster, read_processor

X86 = "processor\t: 0\nmodel name\t: Core\nflags\t\t: fpu avx {0}\n\nprocessor\t: 1\nmodel name\t: Core\nflags\t\t: fpu avx {1}\n"
ARM = "processor\t: 0\nFeatures\t: fp asimd {0}\nCPU part\t: 0xd08\n\nprocessor\t: 1\nFeatures\t: fp asimd {1}\nCPU part\t: 0xd08\n\n"


@pytest.mark.parametrize(
    ("text", "faster", "why"),
    [
        (X86.format("avx2 avx_vnni", "avx2 avx_vnni"), True, "avx_vnni"),
        (X86.format("avx2", "avx2"), True, "avx2"),
        (X86.format("avx2", ""), False, "none of"),  # a core without it may be the one that runs
        (ARM.format("asimddp", "asimddp"), True, "asimddp"),
        (ARM.format("crc32", "crc32"), False, "lacks asimddp"),
        (ARM.format("asimddp", "crc32"), False, "lacks asimddp"),
    ],
)
def test_int8_is_expected_faster_where_every_core_multiplies_bytes(tmp_path: Path, text: str, faster: bool, why: str) -> None:
    path = tmp_path / "cpuinfo"
    path.write_text(text)
    expected, reason = int8_expected_faster(read_processor(path))
    assert expected is faster
    assert why in reason


def test_the_boards_name_is_preferred_to_the_cores(tmp_path: Path) -> None:
    path = tmp_path / "cpuinfo"
    path.write_text(ARM.format("", "") + "Model\t\t: Raspberry Pi 4 Model B Rev 1.4\n")
    processor = read_processor(path)
    assert processor is not None
    assert processor.arm
    assert processor.name == "Raspberry Pi 4 Model B Rev 1.4"


def test_what_cannot_be_read_counts_as_a_usual_processor(tmp_path: Path) -> None:
    (tmp_path / "empty").write_text("nothing of use\n")
    assert read_processor(tmp_path / "none") is read_processor(tmp_path / "empty") is None
    assert int8_expected_faster(None)[0]
