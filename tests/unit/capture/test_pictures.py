import io
import os
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image as Pillow
from PIL import ImageFile

from blinkd.capture.jpeg import is_whole
from blinkd.capture.pictures import WORKING_PIXELS, read_picture
from blinkd.errors import MediaError
from tests.unit.capture.recordings import noise, numbered

RGB = np.ascontiguousarray(numbered(7)[:, :, ::-1])


def jpeg_bytes(picture: Pillow.Image, **options: object) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", **options)
    return buffer.getvalue()


@pytest.mark.parametrize("suffix", ["png", "bmp", "tiff", "jpg", "webp"])
def test_every_kind_comes_as_bgr(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a.{suffix}"
    options = {"quality": 95} if suffix == "jpg" else {"lossless": True} if suffix == "webp" else {}
    Pillow.fromarray(RGB).save(path, **options)
    image = read_picture(path)
    assert image.dtype == np.uint8
    assert image.flags.c_contiguous
    assert np.abs(image.astype(int) - numbered(7)).mean() < 2


def test_the_content_counts_and_not_the_suffix(tmp_path: Path) -> None:
    Pillow.fromarray(RGB).save(tmp_path / "a.png")
    (tmp_path / "a.png").rename(tmp_path / "a.jpg")
    assert np.array_equal(read_picture(tmp_path / "a.jpg"), numbered(7))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(tmp_path: Path, orientation: int) -> None:
    exif = Pillow.Exif()
    exif[0x0112] = orientation
    Pillow.fromarray(RGB).save(tmp_path / "a.png", exif=exif)
    upright = numbered(7)
    expected = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.transpose(1, 0, 2),
        6: np.rot90(upright, -1),
        7: upright[::-1, ::-1].transpose(1, 0, 2),
        8: np.rot90(upright),
    }[orientation]
    assert np.array_equal(read_picture(tmp_path / "a.png"), expected)


def test_a_damaged_exif_block_does_not_spoil_whole_pixels(tmp_path: Path) -> None:
    data = jpeg_bytes(Pillow.fromarray(RGB), exif=b"Exif\x00\x00MM\x00\x2a\xff\xff\xff\xff")
    (tmp_path / "a.jpg").write_bytes(data)
    assert read_picture(tmp_path / "a.jpg").shape == (120, 160, 3)


def test_cmyk_jpeg_has_its_colours(tmp_path: Path) -> None:
    Pillow.new("CMYK", (64, 48), (0, 255, 255, 0)).save(tmp_path / "red.jpg", quality=95)
    blue, green, red = read_picture(tmp_path / "red.jpg")[20, 20]
    assert red > 240
    assert green < 15
    assert blue < 15


def test_grey_one_bit_and_palette_pictures_become_colour(tmp_path: Path) -> None:
    for mode in ("L", "1", "P"):
        Pillow.fromarray(RGB).convert(mode).save(tmp_path / "a.png")
        assert read_picture(tmp_path / "a.png").shape == (120, 160, 3)
    Pillow.new("L", (10, 10), 77).save(tmp_path / "a.jpg", quality=95)
    assert np.abs(read_picture(tmp_path / "a.jpg").astype(int) - 77).max() <= 1


@pytest.mark.parametrize("suffix", ["png", "tiff"])
def test_sixteen_bit_grey_keeps_its_brightness(tmp_path: Path, suffix: str) -> None:
    ramp = np.linspace(0, 65535, 64 * 48).reshape(48, 64).astype(np.uint16)
    Pillow.fromarray(ramp).save(tmp_path / f"a.{suffix}")
    image = read_picture(tmp_path / f"a.{suffix}")
    assert np.abs(image[:, :, 1].astype(int) - (ramp >> 8)).max() <= 1
    assert np.array_equal(image[:, :, 0], image[:, :, 2])


def test_float_tiff_from_zero_to_one_is_not_black(tmp_path: Path) -> None:
    Pillow.fromarray(np.full((8, 8), 0.5, np.float32)).save(tmp_path / "a.tiff")
    assert read_picture(tmp_path / "a.tiff")[4, 4].tolist() == [127, 127, 127]


def test_sixteen_bit_colour_png_keeps_its_colours(tmp_path: Path) -> None:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    row = b"\x00" + struct.pack(">3H", 0xFF00, 0x8000, 0x1000) * 4
    data = chunk(b"IHDR", struct.pack(">2I5B", 4, 2, 16, 2, 0, 0, 0)) + chunk(b"IDAT", zlib.compress(row * 2)) + chunk(b"IEND", b"")
    (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n" + data)
    assert np.abs(read_picture(tmp_path / "a.png")[0, 0].astype(int) - [0x10, 0x80, 0xFF]).max() <= 1


def test_transparency_is_laid_on_white(tmp_path: Path) -> None:
    Pillow.new("RGBA", (10, 10), (0, 0, 0, 0)).save(tmp_path / "clear.png")
    Pillow.new("RGBA", (10, 10), (200, 0, 0, 255)).save(tmp_path / "solid.png")
    Pillow.new("LA", (10, 10), (0, 0)).save(tmp_path / "grey.png")
    assert read_picture(tmp_path / "clear.png").min() == 255
    assert read_picture(tmp_path / "solid.png")[5, 5].tolist() == [0, 0, 200]
    assert read_picture(tmp_path / "grey.png").min() == 255


@pytest.mark.parametrize("name", ["big.jpg", "big.png"])
def test_a_huge_picture_is_shrunk_within_bounded_memory(tmp_path: Path, name: str) -> None:
    Pillow.new("RGB", (8000, 6000), (10, 200, 30)).save(tmp_path / name)
    # VmHWM begins anew in a new program, which getrusage's figure does not
    program = (
        "import sys; from pathlib import Path\n"
        "from blinkd.capture.pictures import read_picture\n"
        "def peak(): return int(Path('/proc/self/status').read_text().split('VmHWM:')[1].split()[0])\n"
        "before = peak(); image = read_picture(Path(sys.argv[1])); print(image.shape[0], image.shape[1], peak() - before)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, tmp_path / name], capture_output=True, text=True, check=True, env=dict(os.environ)
    )
    height, width, kilobytes = map(int, done.stdout.split())
    assert (WORKING_PIXELS * 0.9) < height * width <= WORKING_PIXELS
    assert width / height == pytest.approx(4 / 3, rel=0.01)
    assert kilobytes < (200_000 if name.endswith("jpg") else 400_000)


def test_a_decompression_bomb_is_refused_before_it_is_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def decoded(*_args: object) -> None:
        raise AssertionError("it was decoded")

    Pillow.new("1", (30_000, 30_000)).save(tmp_path / "bomb.png")
    Pillow.new("1", (11_000, 10_000)).save(tmp_path / "large.png")
    monkeypatch.setattr(ImageFile.ImageFile, "load", decoded)
    with pytest.raises(MediaError, match=r"bomb\.png: claims too many pixels; shrink it"):
        read_picture(tmp_path / "bomb.png")
    with pytest.raises(MediaError, match=r"large\.png: 11000x10000 pixels are too many; shrink it"):
        read_picture(tmp_path / "large.png")


@pytest.mark.parametrize("share", [0.02, 0.1, 0.5, 0.9, 0.99])
@pytest.mark.parametrize("suffix", ["jpg", "png", "bmp", "tiff", "webp"])
def test_a_truncated_picture_is_refused_by_name(tmp_path: Path, suffix: str, share: float) -> None:
    path = tmp_path / f"torn.{suffix}"
    Pillow.fromarray(noise(1)[:, :, ::-1].copy()).save(path)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(MediaError, match=rf"torn\.{suffix}: .*(copy it again|use a JPEG)"):
        read_picture(path)


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"restart_marker_rows": 1}])
def test_a_jpeg_of_which_the_disk_kept_only_the_beginning_is_refused(tmp_path: Path, options: dict[str, object]) -> None:
    whole = jpeg_bytes(Pillow.fromarray(noise(2)), **options)
    path = tmp_path / "a.jpg"
    path.write_bytes(whole)
    assert read_picture(path).shape == (120, 160, 3)
    half = len(whole) // 2
    path.write_bytes(whole[:half] + bytes(len(whole) - half))  # a file system that lost power leaves zeros
    with pytest.raises(MediaError, match="truncated"):
        read_picture(path)
    path.write_bytes(whole[:-2])
    with pytest.raises(MediaError, match="truncated"):
        read_picture(path)


def test_the_end_of_an_embedded_preview_is_not_the_end_of_the_picture() -> None:
    preview = jpeg_bytes(Pillow.fromarray(noise(3, (40, 30))))
    exif = b"Exif\x00\x00II*\x00\x08\x00\x00\x00\x00\x00" + preview
    whole = jpeg_bytes(Pillow.fromarray(noise(2)), exif=exif)
    assert preview in whole
    assert is_whole(io.BytesIO(whole))
    assert is_whole(io.BytesIO(whole + b"trailer of a camera"))
    assert not is_whole(io.BytesIO(whole[:-2]))
    assert not is_whole(io.BytesIO(preview[:1]))


def test_an_end_marker_across_two_chunks_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = jpeg_bytes(Pillow.fromarray(noise(2)))
    for size in (1, 2, 3, 7):
        monkeypatch.setattr("blinkd.capture.jpeg.CHUNK_BYTES", size)
        assert is_whole(io.BytesIO(whole))
        assert not is_whole(io.BytesIO(whole[:-1]))


def test_what_is_no_picture_is_refused_with_the_remedy(tmp_path: Path) -> None:
    (tmp_path / "text.jpg").write_text("hello")
    (tmp_path / "empty.jpg").write_bytes(b"")
    (tmp_path / "page.png").write_text("%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n")
    os.mkfifo(tmp_path / "pipe.jpg")
    for name, words in {
        "text.jpg": "is no picture that can be read; use a JPEG",
        "page.png": "is no picture",
        "empty.jpg": r"is empty \(0 bytes\)",
        "none.jpg": "no such file",
        "pipe.jpg": "is no regular file",
    }.items():
        with pytest.raises(MediaError, match=f"{name}: {words}"):
            read_picture(tmp_path / name)
    with pytest.raises(MediaError, match="is a folder; name a picture"):
        read_picture(tmp_path)


def test_an_animated_gif_is_refused_and_an_animated_webp_gives_its_first_picture(tmp_path: Path) -> None:
    first, second = Pillow.fromarray(RGB), Pillow.fromarray(255 - RGB)
    first.save(tmp_path / "a.gif", save_all=True, append_images=[second])
    first.save(tmp_path / "a.webp", save_all=True, append_images=[second], lossless=True)
    with pytest.raises(MediaError, match=r"a\.gif: is no picture that can be read; use a JPEG"):
        read_picture(tmp_path / "a.gif")
    assert np.array_equal(read_picture(tmp_path / "a.webp"), numbered(7))


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(kind=st.sampled_from(["JPEG", "PNG", "WEBP", "BMP", "TIFF"]), where=st.floats(0, 1), junk=st.binary(min_size=1, max_size=12))
def test_damage_anywhere_gives_a_picture_or_a_media_error(tmp_path: Path, kind: str, where: float, junk: bytes) -> None:
    buffer = io.BytesIO()
    Pillow.fromarray(RGB).save(buffer, kind)
    data = bytearray(buffer.getvalue())
    at = int(where * (len(data) - 1))
    data[at : at + len(junk)] = junk
    path = tmp_path / "a.bin"
    path.write_bytes(data)
    try:
        image = read_picture(path)
    except MediaError as error:
        assert "a.bin" in str(error)
    else:
        assert image.ndim == 3
        assert image.shape[2] == 3
