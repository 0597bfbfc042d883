"""Names that stand in topics, certificates and keys: an organisation's and a terminal's."""

import re

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")  # no slash, no wildcard, no dollar sign: a broker's rules are made of them
LONGEST_COMMON_NAME = 64  # characters in a certificate, by RFC 5280 (ub-common-name)


def is_name(text: object) -> bool:
    """Whether it can be an organisation's or a terminal's id."""
    return isinstance(text, str) and NAME.fullmatch(text) is not None


def common_name(org: str, terminal: str) -> str:
    """ORGANISATION/TERMINAL, as a terminal's certificate is called. Raises ValueError, in words, for what cannot be its name."""
    for kind, name in (("organisation", org), ("terminal", terminal)):
        if not is_name(name):
            raise ValueError(
                f"{name[:80]!r} is no name of {kind}: letters, digits, dots, hyphens and underscores, 63 at most, a letter or digit first"
            )
    name = f"{org}/{terminal}"
    if len(name) > LONGEST_COMMON_NAME:
        raise ValueError(
            f"{name}: {len(name)} characters, and a certificate's name has room for {LONGEST_COMMON_NAME}; shorten one of the two"
        )
    return name
