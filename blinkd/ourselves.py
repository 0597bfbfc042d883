"""How one process of ours begins another."""

import sys

# -P: Python would look for `blinkd` in the working directory first, which may be anybody's
COMMAND = (sys.executable, "-P", "-m", "blinkd")
