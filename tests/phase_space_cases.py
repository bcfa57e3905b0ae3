"""Cases of the Klein-Kramers model, for its tests."""

from __future__ import annotations

from pathlib import Path

from cases import build

from fem_rd.models.klein_kramers.model import KleinKramersModel

HARMONIC = "1.3^2*x^2/(2*0.7)"  # of the frequency 1.3 with k_B T/M = 0.7
THERMAL = 0.7**0.5
DOUBLE = "5*(x^2 - 1)^2"


def text(
    ends: tuple[float, float] = (-5.0, 5.0),
    cells: int = 16,
    *,
    start: str | None = None,
    time: str = "",
    **keys: object,
) -> str:
    """A case: keys of its section, the lines of its start and of its time."""
    written = {"thermal_velocity": 1.0, "modes": 12, "picture": "{cells = [8, 8]}"} | keys
    section = "\n".join(f"{key} = {value}" for key, value in written.items())
    initial = "" if start is None else f"[klein-kramers.initial]\n{start}\n"
    marching = f"[time]\n{time}\n" if time else ""
    return f"""title = "phase space"
model = "klein-kramers"
[mesh]
builtin = "interval"
lower = [{ends[0]}]
upper = [{ends[1]}]
cells = [{cells}]
[klein-kramers]
{section}
{initial}{marching}"""


def harmonic(friction: float, **more: object) -> str:
    """The oscillator of the reference numbers."""
    keys = {"potential": f'"{HARMONIC}"', "friction": friction, "thermal_velocity": THERMAL}
    return text(**(keys | more))  # type: ignore[arg-type]


def double_well(**more: object) -> str:
    """Two wells with 5 k_B T between them."""
    keys = {"ends": (-1.9, 1.9), "potential": f'"{DOUBLE}"'}
    return text(**(keys | more))  # type: ignore[arg-type]


def model(directory: Path, case: str) -> KleinKramersModel:
    """The model of a case, ready to advance."""
    made = build(directory, case)
    assert isinstance(made, KleinKramersModel)
    return made


def run(directory: Path, case: str, end: float) -> KleinKramersModel:
    """The model at a time."""
    made = model(directory, case)
    while made.time < end:
        made.advance(end)
    return made
