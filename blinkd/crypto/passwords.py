"""The organisation password, and operators' passwords: which ones are good enough, and which bytes they are."""

import unicodedata

from blinkd.errors import PasswordRefused

SHORTEST = 12  # characters; the keyring file may be copied and guessed at for years, with no one to count the tries
# zxcvbn's 3 stands for 10^8 to 10^10 guesses of a clever guesser: with the file in hand and 600,000 rounds for each guess (some 10,000 a second
# on one graphics card) that is hours to days for the weakest that passes, against seconds for score 2. The message asks for four words, which
# score 4.
LOWEST_SCORE = 3
MOST_JUDGED = 72  # characters that zxcvbn looks at; its time grows fast with length, and whoever types more has done enough
KEYRING_STAKES = "whoever copies the keyring file can try without end"
OPERATOR_STAKES = "whoever gets hold of the terminal's database can try without end"
LONGEST = 1024  # characters: a whole file given by mistake is no password


def password_bytes(password: str) -> bytes:
    """UTF-8 of the NFKC form: the same letters typed on another keyboard or in a browser give the same bytes. Raises PasswordRefused."""
    try:
        return unicodedata.normalize("NFKC", password).encode()
    except UnicodeEncodeError:
        raise PasswordRefused("the password holds bytes that are no text; give it in UTF-8") from None


def check_new_password(password: str, *familiar: str, stakes: str = KEYRING_STAKES) -> None:
    """Raise PasswordRefused, saying why, for a password that would be guessed. familiar: words that a guesser tries first; stakes: who guesses.

    Only for new ones: one that is in use already opens its keyring, whatever it is.
    """
    from zxcvbn import zxcvbn  # noqa: PLC0415  its lists of words are needed here alone

    if not SHORTEST <= len(password) <= LONGEST:
        raise PasswordRefused(
            f"the password has {len(password)} characters; take {SHORTEST} at least, best four or more words that have nothing to do with each other"
        )
    password_bytes(password)
    found = zxcvbn(password[:MOST_JUDGED], user_inputs=[*familiar, "blinkd"])
    if found["score"] < LOWEST_SCORE:
        why = found["feedback"]["warning"].rstrip(".") or "It is made of parts that are guessed early"
        raise PasswordRefused(
            f"the password would be guessed: {why[0].lower()}{why[1:]}; {stakes}, "
            "so take four or more words that have nothing to do with each other"
        )
