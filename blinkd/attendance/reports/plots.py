"""A report as one page for a wall or a file: figures, its days or hours, the trend, and who needs attention."""

import io
from collections.abc import Mapping
from typing import Any

from blinkd.attendance.reports.lines import Known
from blinkd.attendance.reports.payroll import hours
from blinkd.attendance.reports.report import PersonTotals, Report, attention
from blinkd.attendance.reports.report_json import trend

PAGE_INCHES = (8.27, 11.69)  # A4 upright
MARGIN_INCHES = 0.3
DOTS_PER_INCH = 120  # a PNG of about 1000 by 1400 pixels, which a screen shows whole and legible
NAMED = 18  # people in the table: as many as the page holds
LONGEST = 28  # characters of a name
NOTES = 4  # reasons and uncertain punches that the page holds
HOUR_S = 3600


def page(report: Report, known: Mapping[int, Known], form: str) -> bytes:
    """One A4 page; form: pdf or png."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415  half a second and 40 MB that only this needs
    from matplotlib.figure import Figure  # noqa: PLC0415
    from matplotlib.layout_engine import ConstrainedLayoutEngine  # noqa: PLC0415

    figure = Figure(figsize=PAGE_INCHES, layout=ConstrainedLayoutEngine(w_pad=MARGIN_INCHES, h_pad=MARGIN_INCHES / 2))
    FigureCanvasAgg(figure)
    head, counts, worked, people, foot = figure.subplots(5, 1, height_ratios=(1.5, 2.4, 2.4, 4.2, 1.2))
    for axes in (head, people, foot):
        axes.axis("off")
    _head(head, report)
    _counts(counts, report)
    _hours(worked, report)
    _people(people, report, known)
    _foot(foot, report, known)
    out = io.BytesIO()
    # without a date of making, the same report gives the same file
    figure.savefig(out, format=form, dpi=DOTS_PER_INCH, metadata={"CreationDate": None} if form == "pdf" else {"Software": "blinkd"})
    return out.getvalue()


def _head(axes: Any, report: Report) -> None:  # noqa: ANN401  matplotlib's Axes, imported late
    period, site = report.period, report.site
    title = f"{period.first}" if period.first == period.last else f"{period.first} to {period.last}"
    state = "PROVISIONAL" if report.provisional else "final"
    axes.set_title(f"Attendance, {period.kind} {title} ({state})", loc="left", fontsize=14, fontweight="bold")
    before, changes = report.before[0], trend(report.site, report.before[1])
    lines = [
        f"present {site.present}   late {site.late}   half day {site.half_day}   absent {site.absent}   holiday {site.holiday}",
        f"hours {hours(site.worked_s, 'hhmm')} of {hours(site.expected_s, 'hhmm')} expected   overtime {hours(site.overtime_s, 'hhmm')}"
        f"   left early {site.early}   without check-out {site.missing_out}",
        f"against {before.first} to {before.last}: present {changes['present']:+d}, late {changes['late']:+d}, absent {changes['absent']:+d},"
        f" hours {changes['worked_s'] / HOUR_S:+.1f}",
    ]
    for row, line in enumerate(lines):
        axes.text(0, 0.85 - 0.32 * row, line, fontsize=9, va="top", transform=axes.transAxes)


def _counts(axes: Any, report: Report) -> None:  # noqa: ANN401
    """Stacked bars of each day; provisional ones are hatched."""
    places = range(len(report.days))
    floor = [0] * len(report.days)
    for name, colour in (
        ("present", "#4c8c4a"),
        ("half_day", "#c9a227"),
        ("absent", "#b5483a"),
        ("holiday", "#8a8a8a"),
        ("off_duty", "#7fa8c9"),
    ):
        values = [getattr(totals, name) for _, totals in report.days]
        bars = axes.bar(places, values, bottom=floor, color=colour, label=name.replace("_", " "))
        for bar, (state, _) in zip(bars, report.days, strict=True):
            if not state.final:
                bar.set_hatch("///")
        floor = [low + value for low, value in zip(floor, values, strict=True)]
    axes.plot(places, [totals.late for _, totals in report.days], color="black", marker="o", markersize=3, linewidth=1, label="late")
    axes.set_ylabel("attendances")
    axes.legend(fontsize=7, ncols=5, loc="upper left", bbox_to_anchor=(0, 1.18), frameon=False)
    _dates(axes, report)


def _hours(axes: Any, report: Report) -> None:  # noqa: ANN401
    places = range(len(report.days))
    axes.bar(places, [totals.worked_s / HOUR_S for _, totals in report.days], color="#4a6d8c", label="worked")
    axes.plot(
        places,
        [totals.expected_s / HOUR_S for _, totals in report.days],
        color="black",
        linewidth=1,
        drawstyle="steps-mid",
        label="expected",
    )
    axes.set_ylabel("hours")
    axes.legend(fontsize=7, ncols=2, loc="upper left", bbox_to_anchor=(0, 1.18), frameon=False)
    _dates(axes, report)


def _dates(axes: Any, report: Report) -> None:  # noqa: ANN401
    names = [f"{state.date:%d}" if len(report.days) > 7 else f"{state.date:%a %d}" for state, _ in report.days]
    axes.set_xticks(range(len(names)), names, fontsize=7)
    axes.tick_params(axis="y", labelsize=7)
    axes.margins(x=0.01)


def _people(axes: Any, report: Report, known: Mapping[int, Known]) -> None:  # noqa: ANN401
    titles = ["person", "present", "late", "half day", "absent", "hours", "overtime", "left early", "no out", "remarks"]
    first = sorted(report.people, key=attention)[:NAMED]
    rows = [_row(one, known[one.subject]) for one in first]
    left = len(report.people) - len(first)
    axes.set_title(f"Who needs attention first{f' ({left} more are not shown)' if left else ''}", loc="left", fontsize=10)
    if not rows:
        return
    widths = [0.25, *[0.07] * 4, 0.09, 0.09, 0.08, 0.07, 0.14]
    table = axes.table(cellText=rows, colLabels=titles, colWidths=widths, loc="upper left", cellLoc="left", edges="horizontal")
    table.auto_set_font_size(False)
    table.set_fontsize(7)
    for cell in table.get_celld().values():
        cell.get_text().set_parse_math(False)  # a name may hold dollar signs


def _row(one: PersonTotals, known: Known) -> list[str]:
    sums, name = one.totals, known.name or known.person_id
    shown = name if len(name) <= LONGEST else f"{name[: LONGEST - 1]}…"
    worked, over = (str(hours(seconds, "hhmm")) for seconds in (sums.worked_s, sums.overtime_s))
    counts = [str(number) for number in (sums.present, sums.late, sums.half_day, sums.absent)]
    return [shown, *counts, worked, over, str(sums.early), str(sums.missing_out), ", ".join(one.marks.words())]


def _foot(axes: Any, report: Report, known: Mapping[int, Known]) -> None:  # noqa: ANN401
    said = []
    if report.uncertain:
        names = {known[one.subject].name or known[one.subject].person_id for one in report.uncertain}
        said.append(
            f"{len(report.uncertain)} punch(es) of uncertain time, of {len(names)} people: {', '.join(str(one.seq) for one in report.uncertain[:12])}"
        )
    provisional = report.provisional
    if provisional:
        said.append(f"{len(provisional)} of {len(report.days)} days are provisional (hatched):")
        said += [f"  {state.date}: {'; '.join(state.why)}" for state in provisional[: NOTES - len(said)]]
    for row, line in enumerate(said):
        text = axes.text(0, 1 - 0.25 * row, line, fontsize=7, va="top", wrap=True, transform=axes.transAxes)
        text.set_parse_math(False)
