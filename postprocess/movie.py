"""Draw a plane section of a field at all its times with ParaView, in the same colours throughout.

    pvbatch postprocess/movie.py results/fields.vtkhdf frames/
    ffmpeg -framerate 12 -i frames/frame.%04d.png -pix_fmt yuv420p movie.mp4

Takes the same options as slice.py, but for --time.
"""

from __future__ import annotations

from scene import Section, View, argument_parser


def main() -> None:
    """Draw what the command line asks for."""
    parser = argument_parser(__doc__ or "", "the directory for the frames")
    arguments = parser.parse_args()
    view = View(arguments.fields, Section.of(arguments))
    view.colour_over(view.times)
    for number, time in enumerate(view.times):
        view.save(time, arguments.output / f"frame.{number:04}.png")


if __name__ == "__main__":
    main()
