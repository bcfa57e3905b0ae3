"""Draw a hybrid run around a sphere with ParaView: the PDE on a plane, the particles inside.

    pvbatch postprocess/hybrid_sphere.py results picture.png --sphere 1 --interface 2

``results`` has `fields.vtkhdf` and `particles.vtkhdf`; of the particles, those of the first replica
at the last time are drawn.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from paraview import servermanager, simple

GREY, ORANGE = [0.55, 0.58, 0.62], [0.93, 0.42, 0.10]
CAMERA = (0.12, -1.0, 0.42)  # direction from which the plane y = 0 is seen


def drawn(source: servermanager.Proxy, view: servermanager.Proxy, colour: list[float]) -> None:
    """A surface in one colour."""
    shown = simple.Show(source, view)
    shown.ColorArrayName = ["POINTS", ""]
    shown.AmbientColor = shown.DiffuseColor = colour
    shown.Ambient, shown.Diffuse, shown.Specular = 0.25, 0.8, 0.3


def draw_field(
    path: Path, view: servermanager.Proxy, interface: float, label: str, span: list[float] | None
) -> float:
    """The plane outside of the interface, with its colour bar; the last time."""
    reader = simple.OpenDataFile(str(path))
    reader.UpdatePipeline()
    name = next(iter(reader.PointData.keys()))
    cut = simple.Slice(Input=reader)
    cut.SliceType = "Plane"
    cut.SliceType.Origin, cut.SliceType.Normal = [0, 0, 0], [0, 1, 0]
    outside = simple.Clip(Input=cut)
    outside.ClipType = "Sphere"
    outside.ClipType.Center, outside.ClipType.Radius = [0, 0, 0], interface
    outside.Invert = 0
    time = float(reader.TimestepValues[-1])
    outside.UpdatePipeline(time)
    shown = simple.Show(outside, view)
    simple.ColorBy(shown, ("POINTS", name))
    shown.Ambient, shown.Diffuse = 1.0, 0.0  # no shade: a colour is a value
    colours = simple.GetColorTransferFunction(name)
    colours.ApplyPreset("Viridis (matplotlib)", True)
    colours.RescaleTransferFunction(*(span or outside.PointData[name].GetRange(0)))
    bar = simple.GetScalarBar(colours, view)
    bar.Title, bar.ComponentTitle = label, ""
    bar.TitleColor = bar.LabelColor = [0.0, 0.0, 0.0]
    bar.WindowLocation, bar.Position = "Any Location", [0.89, 0.25]
    bar.ScalarBarLength, bar.RangeLabelFormat, bar.LabelFormat = 0.5, "%.0f", "%.0f"
    bar.Visibility = 1
    return time


def draw_particles(path: Path, view: servermanager.Proxy, radius: float, time: float) -> None:
    """Each as a little sphere."""
    reader = simple.OpenDataFile(str(path))
    reader.UpdatePipeline(time)
    ball = simple.Glyph(Input=reader, GlyphType="Sphere")
    ball.GlyphType.Radius = radius
    ball.GlyphType.ThetaResolution = ball.GlyphType.PhiResolution = 16
    ball.OrientationArray, ball.ScaleArray = ["POINTS", "No orientation array"], [
        "POINTS", "No scale array"]  # fmt: skip
    ball.ScaleFactor, ball.GlyphMode = 1.0, "All Points"
    drawn(ball, view, ORANGE)


def look(view: servermanager.Proxy, closer: float) -> None:
    """From the side, as people see it."""
    view.CameraPosition = [30.0 * part for part in CAMERA]
    view.CameraFocalPoint, view.CameraViewUp = [0, 0, 0], [0, 0, 1]
    view.CameraViewAngle = 18
    simple.ResetCamera(view)
    camera = view.GetActiveCamera()
    camera.Dolly(closer)


def main() -> None:
    """Draw what the command line asks for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("results", type=Path, help="results directory of the run")
    parser.add_argument("picture", type=Path, help="the PNG to write")
    parser.add_argument("--sphere", type=float, default=1.0, help="radius of the reactive sphere")
    parser.add_argument("--interface", type=float, default=2.0, help="radius of the interface")
    parser.add_argument("--particle", type=float, default=0.035, help="radius of a drawn particle")
    parser.add_argument("--label", default="concentration", help="text at the colour bar")
    parser.add_argument("--range", type=float, nargs=2, help="values at the ends of the colours")
    parser.add_argument("--size", type=int, nargs=2, default=(1500, 900), help="in pixels")
    arguments = parser.parse_args()
    view = simple.CreateView("RenderView")
    view.ViewSize = list(arguments.size)
    view.OrientationAxesVisibility = view.UseColorPaletteForBackground = 0
    view.Background = [1.0, 1.0, 1.0]
    time = draw_field(
        arguments.results / "fields.vtkhdf", view, arguments.interface, arguments.label,
        arguments.range,
    )  # fmt: skip
    draw_particles(arguments.results / "particles.vtkhdf", view, arguments.particle, time)
    sphere = simple.Sphere(Radius=arguments.sphere, ThetaResolution=96, PhiResolution=96)
    drawn(sphere, view, GREY)
    view.ViewTime = time
    look(view, 1.36)
    simple.Render(view)
    simple.SaveScreenshot(str(arguments.picture), view, ImageResolution=list(arguments.size))


if __name__ == "__main__":
    main()
