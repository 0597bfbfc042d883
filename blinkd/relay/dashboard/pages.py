"""The dashboard's files: as the relay serves them, or written to a folder for a server that the organisation trusts more.

Whoever serves these pages could serve others, which would send the password away. The hashes in them guard against a file that was torn or
exchanged on its own, not against whoever exchanges them all; therefore they can be written out, compared, and served from elsewhere.
"""

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from pathlib import Path

from blinkd.errors import ConfigError
from blinkd.serving.vendored import STATIC

FOLDER = Path(__file__).parent / "static"
INDEX = "index.html"
SHARED = ("chart.umd.js",)  # of blinkd/serving
TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
}
SUMS = "SHA256SUMS"
WORKER = "worker.js"
SCRIPTS_MARK, STYLE_MARK, META_MARK = "<!-- scripts -->", "<!-- style -->", "<!-- meta -->"
POLICY = {  # what a browser lets the pages do; frame-ancestors counts in a header only
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "connect-src": "'self'",
    "img-src": "'self' data:",
    "worker-src": "'self'",
    "frame-ancestors": "'none'",
    "base-uri": "'none'",
    "form-action": "'none'",
    "require-trusted-types-for": "'script'",
    "trusted-types": "blinkd-worker",
}
IN_HEADER_ONLY = frozenset({"frame-ancestors"})


@dataclass(frozen=True, slots=True)
class Pages:
    """files: by name, each whole. relay: address of the relay's HTTP API, empty where it is the server of the pages."""

    files: Mapping[str, bytes]
    relay: str = ""

    @classmethod
    def read(cls, relay: str = "") -> "Pages":
        """From the package."""
        files = {path.name: path.read_bytes() for path in sorted(FOLDER.iterdir()) if path.suffix in TYPES}
        files |= {name: (STATIC / name).read_bytes() for name in SHARED}
        files[INDEX] = _index(files, relay)
        return cls(files, relay)

    def headers(self) -> dict[str, str]:
        """Beside those of every answer."""
        return {
            "Content-Security-Policy": policy(self.relay),
            "Cross-Origin-Opener-Policy": "same-origin",
            "Permissions-Policy": "camera=(), microphone=(), geolocation=(), payment=(), usb=()",
        }

    def sums(self) -> str:
        """As `sha256sum --check` reads them."""
        return "".join(f"{hashlib.sha256(content).hexdigest()}  {name}\n" for name, content in sorted(self.files.items()))

    def write(self, folder: Path) -> None:
        """Into a folder that is made, or is empty. Raises ConfigError."""
        try:
            folder.mkdir(parents=True, exist_ok=True)
            if any(folder.iterdir()):
                raise ConfigError(f"{folder}: is not empty; name a new folder, so that nothing else is served with the pages")
            for name, content in self.files.items():
                (folder / name).write_bytes(content)
            (folder / SUMS).write_text(self.sums(), encoding="ascii")
        except OSError as error:
            raise ConfigError(f"{folder}: cannot be written: {error.strerror}; name a folder of yours") from None


def policy(relay: str = "", *, header: bool = True) -> str:
    """The Content-Security-Policy. relay: another origin that may be asked."""
    rules = POLICY | ({"connect-src": relay} if relay else {})
    return "; ".join(f"{name} {value}" for name, value in rules.items() if header or name not in IN_HEADER_ONLY)


def integrity(content: bytes) -> str:
    """As in the attribute `integrity`."""
    return f"sha384-{base64.b64encode(hashlib.sha384(content).digest()).decode()}"


def _index(files: Mapping[str, bytes], relay: str) -> bytes:
    """The page with its scripts named, each with its hash.

    A module that is fetched ahead by its hash is the one that a later import gets.
    """
    modules = [name for name in files if name.endswith(".js") and name not in (*SHARED, WORKER, "app.js")]
    lines = [f'<script src="{name}" integrity="{integrity(files[name])}" defer></script>' for name in SHARED]
    lines += [f'<link rel="modulepreload" href="{name}" integrity="{integrity(files[name])}">' for name in modules]
    lines.append(f'<script type="module" src="app.js" integrity="{integrity(files["app.js"])}"></script>')
    styles = [f'<link rel="stylesheet" href="{name}" integrity="{integrity(files[name])}">' for name in files if name.endswith(".css")]
    # where the pages lie on a plain file server nobody sends the header
    meta = [f'<meta name="blinkd-relay" content="{escape(relay)}">']
    if relay:
        meta.insert(0, f'<meta http-equiv="Content-Security-Policy" content="{escape(policy(relay, header=False))}">')
    page = files[INDEX].decode()
    for mark, found in ((SCRIPTS_MARK, lines), (STYLE_MARK, styles), (META_MARK, meta)):
        page = page.replace(mark, "\n    ".join(found))
    return page.encode()
