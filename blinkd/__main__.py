"""`python -m blinkd` is the command `blinkd`."""

from blinkd.cli.main import main

if __name__ == "__main__":
    main()
