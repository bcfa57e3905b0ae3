"""What an observable is, by its name: which table it belongs in, and which curves share its axes.

The models name what they measure by a word and what it is of (amount_A, events_decay, A_min). What
a case asks for has the case's own names: it is what the run is about, and stands for itself.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

RESULTS, CONCENTRATIONS, AMOUNTS = "Results", "Concentrations", "Amounts"
RATES, REACTIONS, EXTREMES = "Rates", "Reactions", "Extremes"
THERMODYNAMICS, ACCOUNTS = "Thermodynamics", "Accounts"
HEADINGS = (
    *(RESULTS, CONCENTRATIONS, AMOUNTS, RATES, REACTIONS),
    *(EXTREMES, THERMODYNAMICS, ACCOUNTS),
)
_LEADING = {  # word before the name: table, what its curves are, of one or of several
    "total_events": (REACTIONS, "events since the start"),
    "events": (REACTIONS, "events per time"),
    "amount": (AMOUNTS, "amount"),
    "rate": (RATES, "amount out per time"),
    "left": (RATES, "amount out since the start"),
    "exchanged": (RATES, "amount in since the start"),
}
_TRAILING = {  # word after the name
    "mean": (CONCENTRATIONS, "number of molecules"),
    "variance": (CONCENTRATIONS, "variance of the number of molecules"),
}
_DENSITIES = {"free_energy", "phi"}
_DISSIPATED = {"entropy_production", "motive_force", "diffusive_dissipation"}
_DISSIPATED |= {"sigma", "cmf", "dphi_dt"}
_CHECKS = ("residual", "drift", "negative_values")


@dataclass(frozen=True)
class Kind:
    """``heading``: of the table. ``word``: of its column; ``of``: of its row.

    ``group``: names the figure of all curves with the same group and unit, ``quantity`` says what
    they are; without a group a curve is drawn alone, without a quantity it is not drawn.
    """

    heading: str
    word: str
    of: str
    group: str = ""
    quantity: str = ""


def kind_of(name: str, species: Collection[str], asked: Collection[str]) -> Kind:
    """The kind of an observable in a run with these ``species`` and what the case ``asked`` for."""
    if name in asked:
        return Kind(RESULTS, "value", name, quantity=name)
    if any(word in name for word in _CHECKS):
        return Kind(ACCOUNTS, "value", name)
    if name.startswith("conserved_"):
        return Kind(ACCOUNTS, "value", name, "conserved", "change since the start")
    if name in _DENSITIES:
        return Kind(THERMODYNAMICS, "value", name, quantity=name)
    if name in _DISSIPATED:
        return Kind(THERMODYNAMICS, "value", name, "thermodynamics", "free energy per time")
    return _by_end(name, species) or _by_beginning(name, species)


def own_species(name: str, species: Collection[str]) -> str | None:
    """The species that a name begins with, the longest where there are several; None if none."""
    found = [one for one in species if name == one or name.startswith(f"{one}_")]
    return max(found, key=len) if found else None


def in_order(headings: Collection[str]) -> Iterator[str]:
    """The headings in the order of the page."""
    return (heading for heading in HEADINGS if heading in headings)


def _by_end(name: str, species: Collection[str]) -> Kind | None:
    """Numbers of a species: A, A_min, A_mean, and A_wall at a point that is called wall."""
    one = own_species(name, species)
    if one is None:
        return None
    rest = name[len(one) + 1 :]
    if not rest:
        return Kind(CONCENTRATIONS, "value", one, "concentration", "concentration")
    if rest in ("min", "max"):
        word = {"min": "smallest", "max": "largest"}[rest]
        return Kind(EXTREMES, word, one, f"extremes-{one}", one)
    if rest in _TRAILING:
        return Kind(_TRAILING[rest][0], rest, one, rest, _TRAILING[rest][1])
    if len(species) == 1:
        return Kind(CONCENTRATIONS, "value", f"{one} at {rest}", "probes", f"{one}")
    return Kind(CONCENTRATIONS, f"at {rest}", one, f"probe-{rest}", f"concentration at {rest}")


def _by_beginning(name: str, species: Collection[str]) -> Kind:
    """What a word says of a species, a channel, a region or a reaction."""
    word = next((word for word in _LEADING if name == word or name.startswith(f"{word}_")), None)
    if word is None:
        return Kind(RESULTS, "value", name, quantity=name)
    heading, quantity = _LEADING[word]
    rest = name[len(word) + 1 :]
    one = own_species(rest, species) if heading in (AMOUNTS, RATES) else None
    place = rest[len(one) + 1 :] if one else ""
    if place and heading == AMOUNTS:
        return Kind(heading, f"in {place}", str(one), f"amount-in-{place}", f"amount in {place}")
    of = f"{one} at {place}" if place else rest
    return Kind(heading, word.replace("_", " "), of or "all", word.replace("_", "-"), quantity)
