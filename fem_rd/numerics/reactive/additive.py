"""Additive Runge-Kutta schemes as tables: transport implicit, reactions explicit.

Both halves share their nodes and weights, so amounts that both conserve are conserved together.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import sqrt

Row = tuple[float, ...]


@dataclass(frozen=True)
class Additive:
    """An additive scheme of ESDIRK type: an explicit first stage, then one diagonal coefficient.

    ``implicit`` and ``explicit`` hold the lower-triangular rows of the stages; ``weights`` combine
    the slopes of both kinds to the new value. ``embedded`` are the weights of the companion whose
    difference from the scheme estimates the error; ``embedded_order`` is the lower order.
    """

    name: str
    order: int
    implicit: tuple[Row, ...]
    explicit: tuple[Row, ...]
    weights: Row
    embedded: Row
    embedded_order: int

    @property
    def nodes(self) -> Row:
        return tuple(sum(row) for row in self.implicit)

    @property
    def diagonal(self) -> float:
        return self.implicit[-1][-1]


def _row(*entries: str) -> Row:
    return tuple(float(Fraction(entry)) for entry in entries)


def _ark2() -> Additive:
    g, w, a = 1 - 1 / sqrt(2), sqrt(2) / 4, (3 + 2 * sqrt(2)) / 6
    return Additive(
        "ark2",
        2,
        implicit=((0.0,), (g, g), (w, w, g)),
        explicit=((0.0,), (2 * g, 0.0), (1 - a, a, 0.0)),
        weights=(w, w, g),
        embedded=((1 - w) / 3, (3 * w + 1) / 3, g / 3),
        embedded_order=2,
    )


_G3 = "1767732205903/4055673282236"
_B3 = (
    "1471266399579/7840856788654", "-4482444167858/7529755066697",
    "11266239266428/11593286722821", _G3,
)  # fmt: skip
_B4 = ("82889/524892", "0", "15625/83664", "69875/102672", "-2260/8211", "1/4")

ARK2 = _ark2()
"""Giraldo, Kelly and Constantinescu (2013), eq. 3.10: TR-BDF2 and its explicit partner; the
companion is that of Hosea and Shampine (1996), third order for the implicit half."""

ARK3 = Additive(
    "ark3",
    3,
    implicit=(
        (0.0,),
        _row(_G3, _G3),
        _row("2746238789719/10658868560708", "-640167445237/6845629431997", _G3),
        _row(*_B3),
    ),
    explicit=(
        (0.0,),
        _row("1767732205903/2027836641118", "0"),
        _row("5535828885825/10492691773637", "788022342437/10882634858940", "0"),
        _row(
            "6485989280629/16251701735622",
            "-4246266847089/9704473918619",
            "10755448449292/10357097424841",
            "0",
        ),
    ),
    weights=_row(*_B3),
    embedded=_row(
        "2756255671327/12835298489170",
        "-10771552573575/22201958757719",
        "9247589265047/10645013368117",
        "2193209047091/5459859503100",
    ),
    embedded_order=2,
)
"""ARK3(2)4L[2]SA of Kennedy and Carpenter (2003)."""

ARK4 = Additive(
    "ark4",
    4,
    implicit=(
        (0.0,),
        _row("1/4", "1/4"),
        _row("8611/62500", "-1743/31250", "1/4"),
        _row("5012029/34652500", "-654441/2922500", "174375/388108", "1/4"),
        _row(
            "15267082809/155376265600",
            "-71443401/120774400",
            "730878875/902184768",
            "2285395/8070912",
            "1/4",
        ),
        _row(*_B4),
    ),
    explicit=(
        (0.0,),
        _row("1/2", "0"),
        _row("13861/62500", "6889/62500", "0"),
        _row(
            "-116923316275/2393684061468",
            "-2731218467317/15368042101831",
            "9408046702089/11113171139209",
            "0",
        ),
        _row(
            "-451086348788/2902428689909",
            "-2682348792572/7519795681897",
            "12662868775082/11960479115383",
            "3355817975965/11060851509271",
            "0",
        ),
        _row(
            "647845179188/3216320057751",
            "73281519250/8382639484533",
            "552539513391/3454668386233",
            "3354512671639/8306763924573",
            "4040/17871",
            "0",
        ),
    ),
    weights=_row(*_B4),
    embedded=_row(
        "4586570599/29645900160",
        "0",
        "178811875/945068544",
        "814220225/1159782912",
        "-3700637/11593932",
        "61727/225920",
    ),
    embedded_order=3,
)
"""ARK4(3)6L[2]SA of Kennedy and Carpenter (2003)."""

ADDITIVE = {scheme.name: scheme for scheme in (ARK2, ARK3, ARK4)}
