"""What the ParaView scripts share: a section of a field seen straight on, with its colour bar."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from paraview import servermanager, simple

_COLOURS = "Viridis (matplotlib)"
_CLOSER = 0.85  # than ParaView goes by itself
_FLAT = 1e-9  # relative to the size of the body


@dataclass(frozen=True)
class Section:
    """Which field to show, and the plane in which; ``origin`` None is the middle of the body."""

    field: str | None
    label: str | None
    normal: tuple[float, float, float]
    origin: tuple[float, float, float] | None
    size: tuple[int, int]

    @classmethod
    def of(cls, arguments: argparse.Namespace) -> Section:
        """The section that the command line asks for."""
        origin = None if arguments.origin is None else tuple(arguments.origin)
        return cls(
            field=arguments.field,
            label=arguments.label,
            normal=tuple(arguments.normal),
            origin=origin,
            size=tuple(arguments.size),
        )


def argument_parser(description: str, output: str) -> argparse.ArgumentParser:
    """The arguments that every script takes."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("fields", type=Path, help="fields.vtkhdf of a results directory")
    parser.add_argument("output", type=Path, help=output)
    parser.add_argument("--field", help="name of the field (default: the first)")
    parser.add_argument("--label", help="title of the colour bar (default: the field's name)")
    parser.add_argument("--normal", type=float, nargs=3, default=(0.0, 0.0, 1.0))
    parser.add_argument("--origin", type=float, nargs=3, help="(default: the middle of the body)")
    parser.add_argument("--size", type=int, nargs=2, default=(1600, 1200), help="in pixels")
    return parser


class View:
    """A picture of one section at one time after another."""

    def __init__(self, path: Path, section: Section) -> None:
        if not path.is_file():
            raise SystemExit(f"{path}: no such file")
        self._reader = simple.OpenDataFile(str(path))
        self._reader.UpdatePipeline()
        self.times = tuple(self._reader.TimestepValues)
        self._field = self._valid(section.field)
        self._shown = self._cut(section)
        self._view = simple.CreateView("RenderView")
        self._view.ViewSize = list(section.size)
        self._view.OrientationAxesVisibility = 0
        self._view.UseColorPaletteForBackground = 0
        self._view.Background = [1.0, 1.0, 1.0]
        self._size = list(section.size)
        self._display(section.label or self._field)
        self._look(section.normal)

    def colour_over(self, times: Iterable[float]) -> None:
        """Let the colours span what the field takes in the section at these times."""
        low, high = float("inf"), float("-inf")
        for time in times:
            self._shown.UpdatePipeline(time)
            array = self._shown.PointData[self._field]
            component = -1 if array.GetNumberOfComponents() > 1 else 0  # -1 is the magnitude
            first, last = array.GetRange(component)
            low, high = min(low, first), max(high, last)
        simple.GetColorTransferFunction(self._field).RescaleTransferFunction(low, high)

    def save(self, time: float, path: Path) -> None:
        """Write the picture at a time."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self._view.ViewTime = time
        simple.Render(self._view)
        simple.SaveScreenshot(str(path), self._view, ImageResolution=self._size)

    def _valid(self, field: str | None) -> str:
        names = list(self._reader.PointData.keys())
        if field is not None and field not in names:
            raise SystemExit(f"--field: no field {field!r}; valid: {', '.join(names)}")
        return field or names[0]

    def _bounds(self) -> tuple[list[float], list[float]]:
        bounds = self._reader.GetDataInformation().GetBounds()
        return list(bounds[0::2]), list(bounds[1::2])

    def _cut(self, section: Section) -> servermanager.Proxy:
        lowest, highest = self._bounds()
        size = max(high - low for low, high in zip(lowest, highest, strict=True))
        if highest[2] - lowest[2] <= _FLAT * size:
            return self._reader
        middle = [0.5 * (low + high) for low, high in zip(lowest, highest, strict=True)]
        cut = simple.Slice(Input=self._reader)
        cut.SliceType = "Plane"
        cut.SliceType.Origin = list(section.origin or middle)
        cut.SliceType.Normal = list(section.normal)
        return cut

    def _display(self, label: str) -> None:
        shown = simple.Show(self._shown, self._view)
        simple.ColorBy(shown, ("POINTS", self._field))
        shown.Ambient, shown.Diffuse = 1.0, 0.0  # no shade: a colour is a value
        colours = simple.GetColorTransferFunction(self._field)
        colours.ApplyPreset(_COLOURS, True)
        bar = simple.GetScalarBar(colours, self._view)
        bar.Title, bar.ComponentTitle = label, ""
        bar.TitleColor = bar.LabelColor = [0.0, 0.0, 0.0]
        bar.WindowLocation, bar.Position = "Any Location", [0.88, 0.2]
        bar.ScalarBarLength, bar.RangeLabelFormat = 0.6, "%.3g"
        bar.Visibility = 1

    def _look(self, normal: tuple[float, float, float]) -> None:
        lowest, highest = self._bounds()
        middle = [0.5 * (low + high) for low, high in zip(lowest, highest, strict=True)]
        distance = 2.0 * max(high - low for low, high in zip(lowest, highest, strict=True))
        length = sum(part * part for part in normal) ** 0.5
        # seen so that x points right, and y or else z points up
        side = -1.0 if abs(normal[1]) > 0.9 * length else 1.0
        self._view.CameraPosition = [
            at + side * distance * part / length for at, part in zip(middle, normal, strict=True)
        ]
        self._view.CameraFocalPoint = middle
        self._view.CameraViewUp = [0, 1, 0] if abs(normal[2]) > 0.9 * length else [0, 0, 1]
        self._view.CameraParallelProjection = 1
        simple.ResetCamera(self._view)
        self._view.CameraParallelScale *= _CLOSER
