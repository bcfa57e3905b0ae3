"""Draw a plane section of a field with ParaView.

    pvbatch postprocess/slice.py results/fields.vtkhdf slice.png
    pvbatch postprocess/slice.py results/fields.vtkhdf slice.png --field concentration \\
        --normal 0 1 0 --origin 0 0 0 --time 0.5 --size 1600 1200

A two-dimensional body is drawn as it is. Without --time the last step is drawn.
"""

from __future__ import annotations

from scene import Section, View, argument_parser


def main() -> None:
    """Draw what the command line asks for."""
    parser = argument_parser(__doc__ or "", "the PNG to write")
    parser.add_argument("--time", type=float, help="simulated time (default: the last)")
    arguments = parser.parse_args()
    view = View(arguments.fields, Section.of(arguments))
    time = view.times[-1] if arguments.time is None else arguments.time
    view.colour_over([time])
    view.save(time, arguments.output)


if __name__ == "__main__":
    main()
