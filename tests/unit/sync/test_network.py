from pathlib import Path

import pytest

from blinkd.sync.network import has_way_out

HEADER = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\n"
DEFAULT = "eth0\t00000000\t0101A8C0\t0003\t0\t0\t0\t00000000\n"
LOCAL = "eth0\t0001A8C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\n"
DEFAULT_6 = f"{'0' * 32} 00 {'0' * 32} 00 {'fe80'.ljust(32, '0')} 00000400 00000001 00000000 00000003     eth0\n"
NONE_6 = f"{'0' * 32} 00 {'0' * 32} 00 {'0' * 32} ffffffff 00000001 00000000 00200200       lo\n"


@pytest.mark.parametrize(
    ("routes", "routes_6", "out"),
    [
        (HEADER + LOCAL, NONE_6, False),
        (HEADER + LOCAL + DEFAULT, NONE_6, True),
        (HEADER + DEFAULT.replace("0003", "0203"), "", False),  # a route that rejects
        (HEADER, DEFAULT_6, True),
        ("", "", False),
    ],
)
def test_a_default_route_of_either_family_is_a_way_out(tmp_path: Path, routes: str, routes_6: str, out: bool) -> None:
    (tmp_path / "route").write_text(routes)
    (tmp_path / "ipv6_route").write_text(routes_6)
    assert has_way_out(tmp_path / "route", tmp_path / "ipv6_route") is out
