"""blinkd: an offline-first face-recognition attendance terminal."""

__version__ = "0.1.0"
