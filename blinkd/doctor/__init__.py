"""What a technician would check, each with what to do about it."""

from blinkd.doctor.check import Check, Status
from blinkd.doctor.examination import examine

__all__ = ["Check", "Status", "examine"]
