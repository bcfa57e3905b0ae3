"""Units: known conversions, the same quantity in any system, and wrong dimensions refused."""

from __future__ import annotations

import itertools
import pickle

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fem_rd.case.dimensions import dimension
from fem_rd.case.unit_texts import EXAMPLES, read_unit
from fem_rd.case.units import UnitSystem, base_unit, split_quantity
from fem_rd.errors import CaseError

AVOGADRO = 6.02214076e23
BOLTZMANN = 1.380649e-23  # J/K, both exact since 2019

NANO = UnitSystem("nm", "ns", "particle", 298.0)
MOLAR = UnitSystem("um", "s", "nmol")
PLAIN = UnitSystem()

THERMAL = BOLTZMANN * 298.0


@pytest.mark.parametrize(
    ("text", "wanted", "value"),
    [
        ("0.5 nm^2/ns", "length^2/time", 0.5),
        ("5e-10 m^2/s", "length^2/time", 0.5),
        ("500 um^2/s", "length^2/time", 0.5),
        ("500 µm²/s", "length^2/time", 0.5),
        ("0.5nm**2 / ns", "length^2/time", 0.5),
        ("0.5 nm2 ns-1", "length^2/time", 0.5),
        ("0.5 nm·nm/ns", "length^2/time", 0.5),
        ("-3 angstrom", "length", -0.3),
        ("3 Å", "length", 0.3),
        ("1 min", "time", 6e10),
        ("2 h", "time", 7.2e12),
        ("1/ns", "1/time", 1.0),
        ("3 /us", "1/time", 3e-3),
        ("1 Hz", "1/time", 1e-9),
        ("1 M", "amount/volume", AVOGADRO * 1e-24),
        ("1 mM", "amount/volume", AVOGADRO * 1e-27),
        ("5 uM", "amount/volume", 5 * AVOGADRO * 1e-30),
        ("0.1 mol/L", "amount/volume", 0.1 * AVOGADRO * 1e-24),
        ("0.1 mol/m^3", "amount/volume", 0.1 * AVOGADRO * 1e-27),
        ("0.6 /nm^3", "amount/volume", 0.6),
        ("0.6 particle/nm^3", "amount/volume", 0.6),
        ("6 particles/nm^3", "amount/volume", 6.0),
        ("1 molecule/L", "amount/volume", 1e-24),
        ("1e9 /M/s", "volume/time", 1e9 * 1e24 / AVOGADRO * 1e-9),
        ("1e9 M^-1 s^-1", "volume/time", 1e9 * 1e24 / AVOGADRO * 1e-9),
        ("1e9 /(M s)", "volume/time", 1e9 * 1e24 / AVOGADRO * 1e-9),
        ("1e9 L/(mol s)", "volume/time", 1e9 * 1e24 / AVOGADRO * 1e-9),
        ("7 nm^3/ns", "volume/time", 7.0),
        ("1 mol/m^2/s", "amount/area/time", AVOGADRO * 1e-18 * 1e-9),
        ("1 /nm^2/ns", "amount/area/time", 1.0),
        ("298 K", "temperature", 298.0),
        ("25 degC", "temperature", 298.15),
        ("25 °C", "temperature", 298.15),
        ("50 %", "1", 0.5),
        ("2 kT", "1", 2.0),
        ("2 kJ/mol", "1", 2e3 / AVOGADRO / THERMAL),
        ("1 kcal/mol", "1", 4184.0 / AVOGADRO / THERMAL),
        ("1 eV", "1", 1.602176634e-19 / THERMAL),
        ("4e-21 J", "1", 4e-21 / THERMAL),
        ("5 pN", None, 5e-21 / THERMAL),
        ("2 kT/nm", None, 2.0),
        ("2 kJ/(mol nm)", None, 2e3 / AVOGADRO / THERMAL),
        ("1 mPa s", None, 1e-3 * 1e-27 * 1e9 / THERMAL),
    ],
)
def test_known_conversions(text, wanted, value):
    assert NANO.convert(text, wanted) == pytest.approx(value, rel=3e-15)


def test_a_quantity_in_the_unit_of_the_system_is_exact():
    for text in ("0.1", "0.3", "1.7", "123.456", "1e-7"):
        assert NANO.convert(f"{text} nm^2/ns", "length^2/time") == float(text)
        assert MOLAR.convert(f"{text} um/s", "length/time") == float(text)


def test_amounts_in_moles():
    system = UnitSystem("nm", "ns", "mol")
    assert system.convert("1 M", "amount/volume") == pytest.approx(1e-24, rel=1e-14)
    assert system.convert("0.6 /nm^3", "amount/volume") == pytest.approx(0.6 / AVOGADRO, rel=1e-14)
    # one sink takes up a volume in a time, whatever amounts are counted in
    rate = NANO.convert("1e9 /M/s", "volume/time")
    assert system.convert("1e9 /M/s", "volume/time") == pytest.approx(rate, rel=1e-14)


def test_parameters_take_any_dimension():
    assert NANO.convert("1 mM", None) == pytest.approx(AVOGADRO * 1e-27, rel=1e-14)
    assert UnitSystem("um", "s", "particle").convert("3 nm", None) == pytest.approx(3e-3)


lengths = st.sampled_from(["nm", "um", "m", "angstrom", "pm"])
times = st.sampled_from(["ns", "s", "us", "ps", "min"])
amounts = st.sampled_from(["particle", "mol", "nmol"])
systems = st.builds(UnitSystem, lengths, times, amounts, st.none())
dimensions = st.sampled_from(
    ["length", "time", "1/time", "length^2/time", "length/time", "volume/time", "amount/volume",
     "amount/volume/time", "amount/area/time", "amount", "amount/time", "length^2"]
)  # fmt: skip
numbers = st.floats(1e-6, 1e6)
quick = settings(deadline=None, max_examples=200, database=None, derandomize=True)


@quick
@given(systems, dimensions, numbers, st.sampled_from([1, 2, 3]))
def test_the_name_of_a_unit_reads_back(system, wanted, number, space):
    text = f"{number!r} {system.unit_name(wanted, space=space)}"
    value, found = system.convert_in_space(text, wanted, (space,))
    assert value == pytest.approx(number, rel=1e-14)
    assert found in (None, space)


@quick
@given(systems, systems, dimensions, numbers)
def test_going_to_another_system_and_back(here, there, wanted, number):
    value = there.convert(f"{number!r} {here.unit_name(wanted)}", wanted)
    back = here.convert(f"{value!r} {there.unit_name(wanted)}", wanted)
    assert back == pytest.approx(number, rel=1e-14)


@quick
@given(systems, systems, numbers)
def test_conversions_multiply(here, there, number):
    """A diffusion coefficient converts like the square of a length over a time."""
    length = there.convert(f"1 {here.length}", "length")
    time = there.convert(f"1 {here.time}", "time")
    diffusion = there.convert(f"{number!r} {here.unit_name('length^2/time')}", "length^2/time")
    assert diffusion == pytest.approx(number * length**2 / time, rel=1e-13)


ALL = ("length", "time", "1/time", "length^2/time", "volume/time", "amount/volume", "amount",
       "amount/area/time", "temperature")  # fmt: skip


@pytest.mark.parametrize(("given_one", "wanted"), list(itertools.permutations(ALL, 2)))
def test_any_other_dimension_is_refused(given_one, wanted):
    text = f"7 {NANO.unit_name(given_one)}"
    with pytest.raises(CaseError, match="wrong unit") as caught:
        NANO.convert(text, wanted)
    assert f"found {text!r}" in str(caught.value)
    assert "; valid: a unit of " + wanted in str(caught.value)


def test_the_space_dimension_that_a_unit_implies():
    assert NANO.convert_in_space("1 mM", "amount/volume", (3, 2, 1)) == (
        pytest.approx(AVOGADRO * 1e-27), 3
    )  # fmt: skip
    assert NANO.convert_in_space("0.6 /nm^2", "amount/volume", (3, 2, 1)) == (0.6, 2)
    assert NANO.convert_in_space("0.6 /nm", "amount/volume", (3, 2, 1)) == (0.6, 1)
    assert NANO.convert_in_space("1 /nm^2/ns", "amount/area/time", (3, 2)) == (1.0, 3)
    assert NANO.convert_in_space("1 /nm^2/ns", "amount/volume/time", (3, 2)) == (1.0, 2)
    assert NANO.convert_in_space("1 nm", "length", (3, 2, 1)) == (1.0, None)
    with pytest.raises(CaseError, match=r"such as particle/nm\^2$"):
        NANO.convert_in_space("1 mM", "amount/volume", (2,))


def test_names_of_units():
    assert NANO.unit_name("amount/time") == "particle/ns"
    assert NANO.unit_name("amount/volume") == "particle/nm^3"
    assert NANO.unit_name("amount/volume", space=2) == "particle/nm^2"
    assert NANO.unit_name("volume/time") == "nm^3/ns"
    assert NANO.unit_name("1") == "1"
    assert NANO.unit_name("1/time") == "1/ns"
    assert PLAIN.unit_name("amount/time") == "amount/time"
    assert PLAIN.unit_name("amount/area/time") == "amount/length^2/time"
    with pytest.raises(ValueError, match="not a dimension"):
        dimension("furlong")


def test_a_system_is_plain_data():
    assert pickle.loads(pickle.dumps(NANO)) == NANO
    assert PLAIN.dimensionless
    assert not NANO.dimensionless


@pytest.mark.parametrize(
    ("text", "split"),
    [
        ("0.5 nm^2/ns", (0.5, "nm^2/ns")),
        ("298K", (298.0, "K")),
        ("1e-3 M", (1e-3, "M")),
        ("-.5 nm", (-0.5, "nm")),
        ("2 sigma", (2.0, "sigma")),
        ("1/ns", (1.0, "/ns")),
        ("0.6 /nm^3", (0.6, "/nm^3")),
        ("1 /(M s)", (1.0, "/(M s)")),
        ("0.3 1/ns", (0.3, "/ns")),
        # expressions
        ("1e3", None),
        ("-1.5e-3", None),
        ("12", None),
        ("4*pi*sigma*D", None),
        ("2*nm", None),
        ("1/r", None),
        ("1/(1 + r)", None),
        ("1/L", None),
        ("1/2", None),
        ("2 (r)", None),
        ("2 + 3", None),
        ("3 r + 1", None),
        ("nm", None),
        ("", None),
    ],
)
def test_what_is_a_quantity_and_what_an_expression(text, split):
    assert split_quantity(text, {"r", "sigma", "D", "L"}) == split


WRONG = [
    (NANO, "2 sigma", "length", "unknown unit 'sigma'; for a product write 2*sigma; "
     "found '2 sigma'; valid: a unit of length, such as nm"),
    (NANO, "1 nm", "time", "wrong unit (length); found '1 nm'; valid: a unit of time, such as ns"),
    (NANO, "1 nm", "1", "wrong unit (length); found '1 nm'; "
     "valid: a number without unit, or an energy"),
    (NANO, "1 mM", "length^2/time", "wrong unit (amount/length^3); found '1 mM'; "
     "valid: a unit of length^2/time, such as nm^2/ns"),
    (NANO, "1 mol nm^2/ns", "length^2/time", "wrong unit (amount*length^2/time); "
     "found '1 mol nm^2/ns'; valid: a unit of length^2/time, such as nm^2/ns"),
    (NANO, "1 mol M", "amount/volume", "wrong unit (amount^2/length^3); found '1 mol M'; "
     "valid: a unit of amount/volume, such as particle/nm^3"),
    (NANO, "1 /mol", "1", "wrong unit (1/amount); found '1 /mol'; "
     "valid: a number without unit, or an energy"),
    (NANO, "1 J/mol K", "1", "a product after '/' is ambiguous: use brackets, as in kJ/(mol nm); "
     "found '1 J/mol K'"),
    (NANO, "1 nm^", "length", "not a unit: '^' needs a whole number after it; found '1 nm^'"),
    (NANO, "1 nm^99", "length", "not a unit: power 99 is too large; found '1 nm^99'"),
    (NANO, "1 nm/", "length", "not a unit: a name is missing; found '1 nm/'"),
    (NANO, "1 /(nm", "length", "not a unit: a ')' is missing; found '1 /(nm'"),
    (NANO, "1 nm)", "length", "not a unit: unexpected ')'; found '1 nm)'"),
    (NANO, "1e999 nm", "length", "is too large or too small a number; found '1e999 nm'"),
    (MOLAR, "2 kJ/mol", "1", "an energy needs the temperature: add it to [units], as in "
     "temperature = '298 K', or give the energy in k_B T, as a plain number; found '2 kJ/mol'"),
    (PLAIN, "0.5 nm^2/ns", "length^2/time", "a unit needs the section [units] with length and "
     "time; without it all numbers are dimensionless; found '0.5 nm^2/ns'"),
    (PLAIN, "1 parsec", "length", "unknown unit 'parsec'; for a product write 1*parsec; "
     "found '1 parsec'; valid: a unit of length"),
    (NANO, "nm", "length", "not a number with a unit; found 'nm'"),
]  # fmt: skip


@pytest.mark.parametrize(("system", "text", "wanted", "message"), WRONG)
def test_what_is_wrong_is_said_in_one_line(system, text, wanted, message):
    with pytest.raises(CaseError) as caught:
        system.convert(text, wanted)
    assert str(caught.value) == message


def test_base_units_have_the_dimension_of_their_base():
    assert base_unit(" nm ", "length") == "nm"
    for text, base in [("ns", "length"), ("M", "amount"), ("nm^2", "length"), ("2 nm", "length")]:
        with pytest.raises(CaseError):
            base_unit(text, base)


def test_every_unit_of_the_reference_page_is_known():
    listed = "; ".join(EXAMPLES.values()).replace("(or Å)", ", Å")
    for part in itertools.chain(*(group.split(",") for group in listed.split(";"))):
        words = part.split(":")[-1].split(" or ")
        for word in words:
            text = word.strip().removeprefix("0.6 ")
            if text and "powers" not in text and text != "degC":
                assert read_unit(text).factor > 0, text


def test_physical_constants_are_not_units():
    for name in ("c", "e", "k", "hbar", "sigma", "R", "N_A", "q"):
        with pytest.raises(CaseError, match="unknown unit"):
            read_unit(name)


pieces = st.sampled_from(
    [*"0123456789.+-*/^() ²µ%°½٣_", "nm", "ns", "M", "mol", "kJ", "e5", "K", "kT", "1e300", "sigma"]
)


@settings(deadline=None, max_examples=800, database=None, derandomize=True)
@given(
    st.one_of(st.text(max_size=40), st.lists(pieces, max_size=12).map("".join)),
    st.sampled_from(ALL),
)
def test_any_text_is_a_number_or_a_case_error(text, wanted):
    for system in (NANO, PLAIN):
        try:
            assert isinstance(system.convert(f"1 {text}", wanted), float)
        except CaseError as error:
            assert "\n" not in str(error)
        split_quantity(text, ())
