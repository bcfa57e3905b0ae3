"""How the figures look, as PNG for a talk or a paper and as SVG inside the page.

In the page the ink, the grid and the curves take the page's own colours, so that one figure reads
well on light and on dark ground and in print. The colours are Okabe and Ito's, which people tell
apart whatever their colour vision.
"""

from __future__ import annotations

import io
import math
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import matplotlib
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter, ScalarFormatter

from fem_rd.report.formatting import TIMES, superscript

INK, GRID = "#1b1e24", "#d9dde4"
CURVES = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00")
COMPUTED, EXACT = CURVES[0], INK
_IN_PAGE = {INK: "var(--ink)", GRID: "var(--grid)"} | {
    colour: f"var(--curve-{index})" for index, colour in enumerate(CURVES, 1)
}
DOTS_PER_INCH = 200
FULL_WIDTH = 9.8  # inches, of two figures of the page with what is between them
_LETTER = 0.07  # inches

_RC = {
    "font.family": ["DejaVu Sans"],  # comes with Matplotlib
    "font.size": 9.0,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.formatter.limits": (-3, 5),
    "axes.formatter.useoffset": False,
    "grid.color": GRID,
    "grid.linewidth": 0.5,
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "text.color": INK,
    "lines.linewidth": 1.6,
    "lines.markersize": 4.0,
    "legend.frameon": False,
    "legend.fontsize": 8.5,
    "svg.fonttype": "none",  # text stays text, in the page's font
    "svg.hashsalt": "fem_rd",
}


@dataclass(frozen=True)
class Plot:
    """A figure with the name of its file and what the reader is told about it."""

    name: str
    caption: str
    figure: Figure
    wide: bool = False

    @property
    def share(self) -> float:
        """Of the width that it has in the page."""
        return float(self.figure.get_figwidth()) / FULL_WIDTH if self.wide else 1.0


@contextmanager
def drawing() -> Iterator[None]:
    """Draw in this style, whatever Matplotlib was set to before."""
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(_RC)
        yield


def new_figure(width: float, height: float) -> Figure:
    """An empty figure, size in inches, that no window system knows of."""
    figure = Figure(figsize=(width, height))
    FigureCanvasAgg(figure)
    return figure


def save_png(plot: Plot, directory: Path) -> Path:
    """Write the figure on white ground."""
    path = directory / f"{plot.name}.png"
    fast = {"compress_level": 1}  # half the time of the whole figure, for a third more bytes
    plot.figure.savefig(path, dpi=DOTS_PER_INCH, facecolor="white", pil_kwargs=fast)
    return path


def inline_svg(plot: Plot) -> str:
    """The figure as an `svg` element for the page, in the page's colours."""
    text = io.StringIO()
    plot.figure.savefig(
        text, format="svg", dpi=DOTS_PER_INCH, transparent=True, metadata={"Date": None}
    )
    svg = text.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"\s*<(metadata|style)\b.*?</\1>", "", svg, flags=re.DOTALL)
    svg = re.sub(r' xmlns(?::xlink)?="[^"]*"', "", svg)  # an HTML page needs neither
    svg = svg.replace("xlink:href", "href")
    # several figures share a page: their ids must not meet
    svg = re.sub(r'\bid="', f'id="{plot.name}-', svg)
    svg = re.sub(r'(url\(|href=")#', rf"\1#{plot.name}-", svg)
    svg = re.sub(r"#[0-9a-f]{6}", lambda found: _IN_PAGE.get(found[0], found[0]), svg)
    head, body = svg.split(">", 1)
    head = re.sub(r' (?:width|height|version)="[^"]*"', "", head)  # the page scales the figure
    return f'{head} role="img" aria-label="{plot.name}">{body}'


class _PlainFormatter(ScalarFormatter):
    """Numbers on an axis without mathematical type, which an SVG of live text cannot carry.

    Zero is 0, whatever digits its neighbours have.
    """

    def __call__(self, value: float, position: int | None = None) -> str:
        return re.sub(r"^0\.0+$", "0", super().__call__(value, position))

    def get_offset(self) -> str:
        return re.sub(
            r"1e(.+)", lambda found: f"{TIMES}10{superscript(found[1])}", super().get_offset()
        )


def plain_numbers(axis: Axis) -> None:
    """Label an axis with live text: 0.5, or powers of ten on a logarithmic scale."""
    if axis.get_scale() == "log":
        axis.set_major_formatter(FuncFormatter(_power_of_ten))
        axis.set_minor_formatter(NullFormatter())
    else:
        axis.set_major_formatter(_PlainFormatter())


def _power_of_ten(value: float, _position: int | None) -> str:
    exponent = round(math.log10(value))
    if -3 <= exponent <= 3:
        return f"{value:g}"
    return f"10{superscript(str(exponent))}"


def fitting(label: str, axes: Axes) -> str:
    """The label of a vertical axis in two lines, with the unit below, where one is too long."""
    inches = float(axes.bbox.height) / axes.figure.dpi
    return label if len(label) * _LETTER < inches else label.replace(" (", "\n(", 1)


def quiet(axes: Axes) -> None:
    """No grid and no frame: for pictures."""
    axes.grid(False)
    axes.tick_params(length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)
