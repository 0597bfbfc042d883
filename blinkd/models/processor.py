"""What the machine's processor can do, as the kernel says it: whether INT8 is likely to be the faster form before anybody has timed it."""

from dataclasses import dataclass
from pathlib import Path

CPUINFO = Path("/proc/cpuinfo")
# Keys of /proc/cpuinfo: x86 lists its instructions as "flags", arm64 as "Features"
X86_KEY, ARM_KEY = "flags", "Features"
# The board's own name ("Model", Raspberry Pi) says more than the core's
NAME_KEYS = ("Model", "model name", "CPU part")
# x86 multiplies bytes fast from AVX2 on, and with VNNI in one instruction. An arm64 core without the dot product (Cortex-A72, Raspberry
# Pi 4) widens every byte first, and INT8 can be slower than FP32 there.
FAST_X86 = ("avx_vnni", "avx512_vnni", "avx2")
FAST_ARM = "asimddp"


@dataclass(frozen=True, slots=True)
class Processor:
    """name: of the board or the core; arm: arm64 rather than x86; instructions: those that every core has."""

    name: str
    arm: bool
    instructions: frozenset[str]


def read_processor(path: Path = CPUINFO) -> Processor | None:
    """Read /proc/cpuinfo; None when it cannot be read or lists no instructions."""
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return None
    pairs = [(key.strip(), value.strip()) for key, found, value in (line.partition(":") for line in lines) if found]
    arm = any(key == ARM_KEY for key, _ in pairs)
    listed = [frozenset(value.split()) for key, value in pairs if key == (ARM_KEY if arm else X86_KEY)]
    if not listed:
        return None
    names = dict(reversed(pairs))  # the first core's
    name = next((names[key] for key in NAME_KEYS if names.get(key)), "unknown")
    return Processor(name, arm, frozenset.intersection(*listed))


def int8_expected_faster(processor: Processor | None) -> tuple[bool, str]:
    """Whether INT8 is likely to be faster, and why; an unknown processor is taken for a usual one."""
    if processor is None:
        return True, "the processor is unknown"
    if processor.arm:
        if FAST_ARM in processor.instructions:
            return True, f"the processor has {FAST_ARM}"
        return False, f"the processor lacks {FAST_ARM}"
    for instruction in FAST_X86:
        if instruction in processor.instructions:
            return True, f"the processor has {instruction}"
    return False, f"the processor has none of {', '.join(FAST_X86)}"
