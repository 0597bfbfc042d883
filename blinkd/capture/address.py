"""Network addresses as they may be shown: without user, password or token."""

import re

_SECRET = re.compile(r"(?i)((?:user|username|login|password|passwd|pwd|pass|token|key|auth)=)[^&;/_]*")


def without_credentials(url: str) -> str:
    """The address without the part before its '@', without its query, and with secrets in its path (as some cameras want) starred out.

    Passwords with an unescaped '@' or '/' are hidden too, at the price that an '@' in the path may hide the host instead.
    """
    url = re.split(r"[?#]", url.replace("\\", "/"), maxsplit=1)[0] if "@" not in url else _before_query(url)
    scheme, slashes, rest = url.partition("://")
    if not slashes:
        scheme, rest = "", url
    authority, slash, path = rest.partition("/")
    if "@" in authority:
        rest = authority.rpartition("@")[2] + slash + path
    elif "@" in path and ":" in authority and not authority.rpartition(":")[2].isdigit():
        rest = path.rpartition("@")[2]  # what looked like host:port was user:pass with a slash in it
    return scheme + slashes + _SECRET.sub(r"\1***", rest)


def _before_query(url: str) -> str:
    """Cut the query off behind the credentials, which may hold a question mark or a hash themselves."""
    head, at, tail = url.rpartition("@")
    if re.search(r"://[^/]*/.*[?#]", head):  # the last '@' belongs to the query itself
        return re.split(r"[?#]", url, maxsplit=1)[0]
    return head + at + re.split(r"[?#]", tail, maxsplit=1)[0]
