import string

from hypothesis import given
from hypothesis import strategies as st

from blinkd.capture.address import without_credentials


def test_an_address_without_secrets_stays() -> None:
    for url in ("rtsp://cam.local:554/stream1", "http://10.0.0.7/video.mjpg", "rtsp://[fe80::1]:554/s"):
        assert without_credentials(url) == url


def test_user_password_and_query_are_left_out() -> None:
    assert without_credentials("rtsp://admin:s3cret@cam.local/s?token=abc#x") == "rtsp://cam.local/s"
    assert without_credentials("http://cam/video?user=a&pwd=b@c") == "http://cam/video"


def test_unescaped_passwords_do_not_leak() -> None:
    for secret in ("p@ss", "p/ss", "p@s/s", "p?ss", "p#ss"):
        shown = without_credentials(f"rtsp://admin:{secret}@cam.local/s")
        assert "p" not in shown.removeprefix("rtsp://"), shown
        assert "cam.local" in shown


def test_passwords_in_the_path_are_starred_out() -> None:
    assert without_credentials("rtsp://cam/user=admin_password=tlJwpbo6_channel=1.sdp") == "rtsp://cam/user=***_password=***_channel=1.sdp"


@given(st.text(string.ascii_letters + string.digits + "!$&'()*+,;=-._~%@:", min_size=6, max_size=20).filter(lambda word: "=" not in word))
def test_no_password_is_ever_shown(password: str) -> None:
    shown = without_credentials(f"rtsp://u:{password}@h.x/s")
    assert shown == "rtsp://h.x/s"
