"""Whether this machine has a way out at all, so that a network that comes back is used at once instead of at the end of a long wait."""

from pathlib import Path

ROUTES, ROUTES_6 = Path("/proc/net/route"), Path("/proc/net/ipv6_route")
UP, REJECTS = 0x1, 0x200  # flags of a route (RTF_UP, RTF_REJECT)
ANYWHERE, ANYWHERE_6 = "00000000", "0" * 32


def has_way_out(routes: Path = ROUTES, routes_6: Path = ROUTES_6) -> bool:
    """Whether the kernel has a default route, of either family. True where that cannot be told."""
    try:
        lines, lines_6 = _lines(routes), _lines(routes_6)
    except OSError:
        return True
    return any(_leads_out(line, 1, 3, ANYWHERE) for line in lines[1:]) or any(
        len(line) > 9 and line[0] == ANYWHERE_6 and line[1] == "00" and line[9] != "lo" and _up(line[8]) for line in lines_6
    )


def _lines(path: Path) -> list[list[str]]:
    return [line.split() for line in path.read_text(encoding="ascii").splitlines()] if path.exists() else []


def _leads_out(line: list[str], destination: int, flags: int, anywhere: str) -> bool:
    return len(line) > max(destination, flags) and line[destination] == anywhere and _up(line[flags])


def _up(flags: str) -> bool:
    value = int(flags, 16)
    return bool(value & UP) and not value & REJECTS
