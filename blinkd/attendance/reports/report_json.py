"""The report as a JSON value that other programs rely on.

    {"period": {"kind": "day|week|month", "first": date, "last": date},
     "zone": IANA name, "provisional": bool,
     "site": TOTALS, "before": {"first": date, "last": date, "site": TOTALS}, "trend": {"present": difference, …},
     "people": [{"person_id", "name": null once erased, …TOTALS, …MARKS}],
     "days": [{"date", "final": bool, "why": [reason], …TOTALS}],
     "attendances": [{"person_id", "name", "date", "shift": null without one, "status", "first_in": time or null, "last_out", "worked_s",
         "expected_s", "late_min", "early_min", "overtime_min", "missing_in", "missing_out", "holiday", "final", …MARKS}],
     "uncertain": [{"seq", "person_id", "recorded": time, "after": time or null, "before": time or null, "counted": bool}]}

TOTALS: present, half_day, absent, holiday, off_duty, open, late, early, missing_in, missing_out (numbers of attendances), worked_s,
expected_s, late_s, early_s, overtime_s (seconds). MARKS: uncertain, disowned, corrected, amended (numbers of punches). Times have the
site's offset. `attendances` is there for a day and for one person; for more it would be the size of the book, which `export` is for.
`before` is the period before, as far as this one has come; of a day the same weekday a week earlier.
"""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from blinkd.attendance.reports.lines import Known, in_order, lines
from blinkd.attendance.reports.report import Report
from blinkd.attendance.reports.totals import Totals

TRENDS = ("present", "half_day", "absent", "late", "early", "worked_s", "overtime_s")


def as_json(report: Report, known: Mapping[int, Known], *, attendances: bool) -> dict[str, Any]:
    """The whole of it; attendances: whether to give every one of them."""
    zone = report.zone
    period, before = report.period, report.before[0]
    value: dict[str, Any] = {
        "period": {"kind": period.kind, "first": period.first.isoformat(), "last": period.last.isoformat()},
        "zone": zone.key,
        "provisional": bool(report.provisional),
        "site": report.site.as_dict(),
        "before": {"first": before.first.isoformat(), "last": before.last.isoformat(), "site": report.before[1].as_dict()},
        "trend": trend(report.site, report.before[1]),
        "people": [
            {"person_id": known[one.subject].person_id, "name": known[one.subject].name} | one.totals.as_dict() | asdict(one.marks)
            for one in in_order(report, known)
        ],
        "days": [
            {"date": state.date.isoformat(), "final": state.final, "why": list(state.why)} | totals.as_dict()
            for state, totals in report.days
        ],
    }
    if attendances:
        value["attendances"] = [
            {
                "person_id": line.person_id,
                "name": line.name,
                "date": line.date.isoformat(),
                "shift": line.shift,
                "status": line.status,
                "first_in": None if line.first_in is None else line.first_in.isoformat(timespec="seconds"),
                "last_out": None if line.last_out is None else line.last_out.isoformat(timespec="seconds"),
                "worked_s": line.worked_s,
                "expected_s": line.expected_s,
                "late_min": line.late_min,
                "early_min": line.early_min,
                "overtime_min": line.overtime_min,
                "missing_in": line.missing_in,
                "missing_out": line.missing_out,
                "holiday": line.holiday,
                "final": line.final,
            }
            | asdict(line.marks)
            for line in lines(report, known)
        ]
    value["uncertain"] = [
        {
            "seq": one.seq,
            "person_id": known[one.subject].person_id,
            "recorded": one.recorded.astimezone(zone).isoformat(timespec="seconds"),
            "after": None if one.after is None else one.after.astimezone(zone).isoformat(timespec="seconds"),
            "before": None if one.before is None else one.before.astimezone(zone).isoformat(timespec="seconds"),
            "counted": one.counted,
        }
        for one in report.uncertain
    ]
    return value


def trend(now: Totals, before: Totals) -> dict[str, int]:
    """By how much each figure has grown."""
    return {name: getattr(now, name) - getattr(before, name) for name in TRENDS}
