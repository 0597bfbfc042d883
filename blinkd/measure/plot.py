"""The detection error trade-off as a picture."""

from collections.abc import Sequence
from pathlib import Path

from blinkd.errors import MediaError
from blinkd.measure.identification import DetPoint

INCHES, DOTS_PER_INCH = (6.0, 5.0), 120


def plot_det(points: Sequence[DetPoint], operating: tuple[float, float] | None, title: str, path: Path) -> None:
    """Draw FNIR over FPIR, both axes logarithmic, as a PNG; points without any false positive stand at the left edge.

    operating: FPIR and FNIR at the operating point, marked, or None. Raises MediaError when the file cannot be written.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415  half a second and 40 MB that only this needs
    from matplotlib.figure import Figure  # noqa: PLC0415

    smallest = min((point.fpir for point in points if point.fpir > 0), default=1.0)
    edge = smallest / 2
    figure = Figure(figsize=INCHES, layout="constrained")
    axes = figure.add_subplot()
    lowest = min((point.fnir for point in points if point.fnir > 0), default=1e-3) / 2
    axes.loglog([max(point.fpir, edge) for point in points], [max(point.fnir, lowest) for point in points], drawstyle="steps-post")
    if operating is not None:
        axes.loglog([max(operating[0], edge)], [max(operating[1], lowest)], marker="o", linestyle="", label="operating point")
        axes.legend()
    axes.set_xlabel("FPIR: strangers taken for somebody")
    axes.set_ylabel("FNIR: enrolled people not found")
    axes.set_title(title)
    axes.grid(visible=True, which="both", alpha=0.3)
    FigureCanvasAgg(figure)
    try:
        figure.savefig(path, format="png", dpi=DOTS_PER_INCH)
    except OSError as error:
        raise MediaError(f"{path}: cannot be written: {error.strerror}; name another file with --plot") from None
