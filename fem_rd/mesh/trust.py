"""What a geometry script from somebody else may say.

Gmsh's language can run programs, read and write files, and load others' scripts. A geometry needs
none of that, so only words that describe one are allowed: a word of Gmsh must be on the lists
below, any other must be a variable of the script, used as one. What future versions of Gmsh add is
refused until it is listed here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NoReturn

from fem_rd.errors import CaseError
from fem_rd.mesh.geo_text import Token, closing, tokens


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_STATEMENTS = _words(
    """
    Point Line Curve Circle Ellipse Spline BSpline Bezier Nurbs Wire Loop Surface Volume Plane
    Ruled Filling Sphere PolarSphere Box Block Cylinder Cone Torus Wedge Ellipsoid Rectangle Disk
    Physical Compound Transfinite Recombine Periodic Smoother Reverse Degenerated
    Extrude Translate Rotate Symmetry Dilate Affine Boundary CombinedBoundary PointsOf Duplicata
    BooleanUnion BooleanIntersection BooleanDifference BooleanFragments BooleanFuse BooleanCommon
    BooleanCut BooleanCoherence ThruSections Fillet Chamfer Coherence Delete Recursive
    Characteristic Length MeshSize MeshAlgorithm MeshSizeFromBoundary Field Background
    DefineConstant DefineNumber SetFactory Function Macro Call Return For EndFor If ElseIf Else
    EndIf Printf Error Warning
    """
)
_INSIDE = _words(
    """
    In Using Progression Bump Beta Layers Holes Order Knots Left Right Alternate AlternateLeft
    AlternateRight All BoundingBox Unique Abs Fabs Sqrt Exp Log Log10 Sin Cos Tan Asin Acos Atan
    Atan2 ArcSin ArcCos ArcTan ArcTan2 Sinh Cosh Tanh Floor Ceil Round Fmod Modulo Hypot Min Max
    Rand Pi Step LinSpace LogSpace List Catenary newp newl newc newll newcl news newsl newv newreg
    newf Sprintf Str StrCat StrCmp StrFind StrLen StrSub StrPrefix StrReplace StrChoice Exists
    GetNumber Closest Parametric CenterOfMass Mass MatrixOfInertia Normal Euclidian Coordinates
    """
)
_FIELDS = _words(
    """
    Attractor AttractorAnisoCurve AutomaticMeshSizeField Ball BoundaryLayer Box Constant Curvature
    Cylinder Distance Extend Frustum Gradient IntersectAniso Laplacian LonLat MathEval
    MathEvalAniso Max MaxEigenHessian Mean Min MinAniso Param Restrict Threshold
    """
)
_ATTRIBUTES = _words(
    """
    Name Min Max Step Range Choices Label Help Visible ReadOnly Units Closed Highlight
    """
)
_OPTIONS = frozenset(["Mesh", "Geometry"])
_REFUSED = _words(
    """
    systemcall nonblockingsystemcall system onelabrun onelabaction include merge mergefile
    mergewithboundingbox shapefromfile open save saveas print createdir deletefile renamefile
    plugin abort exit getenv getvalue getstring getstringvalue listfromfile fileexists
    stringtoname s2n parse externalprocess structured postview general solver printoptions sleep
    draw view newmodel syncmodel classifysurfaces createtopology creategeometry
    """
)
_ASSIGNING = frozenset(["=", "+=", "-=", "*=", "/=", "++", "--"])
_MESSAGES = frozenset(["Printf", "Error", "Warning"])
_BEFORE_VALUES = frozenset(["(", "[", "{", ",", "=", "?", ":", "==", "!="])
_LONGEST = 1000  # Gmsh takes the rest of a string of more than 1023 characters for statements


def check_geometry(text: str) -> None:
    """Raise `CaseError`, with line and word, for whatever a geometry has no need to say."""
    _check_characters(text)
    stream = tokens(text)
    assigned = _assigned(stream)
    attributes = _inside_define_constant(stream)
    for index, token in enumerate(stream):
        if token.kind == "word":
            if not (index in attributes and token.text in _ATTRIBUTES):
                _check_word(stream, index, assigned)
        elif token.kind == "string":
            _check_string(stream, index, attributes)


def _check_characters(text: str) -> None:
    """Lines and characters with which Gmsh could see other words than we do."""
    for number, line in enumerate(text.split("\n"), start=1):
        if len(line) > _LONGEST:
            raise CaseError(f"line {number}: longer than {_LONGEST} characters")
        strange = [c for c in line.removesuffix("\r") if ord(c) < 32 and c != "\t"]
        if strange:
            raise CaseError(f"line {number}: control character", found=strange[0])


def _check_word(stream: Sequence[Token], index: int, assigned: frozenset[str]) -> None:
    word = stream[index].text
    if word.lower() in _REFUSED:
        _refuse(stream[index])
    before, after = _text(stream, index - 1), _text(stream, index + 1)
    if before == ".":
        allowed = _has_members(stream, index - 2)
    elif word in _OPTIONS:
        allowed = after == "."
    elif _is_field_type(stream, index):
        allowed = word in _FIELDS
    elif word in _MESSAGES:
        allowed = _text(stream, closing(stream, index + 1) + 1) == ";"
    elif word in _STATEMENTS or word in _INSIDE:
        allowed = True
    elif word not in assigned:
        _refuse(stream[index], "is no variable of the script, and as a word of Gmsh it")
    else:
        allowed = _used_as_variable(stream, index)
    if not allowed:
        _refuse(stream[index])


def _check_string(stream: Sequence[Token], index: int, attributes: frozenset[int]) -> None:
    """A string may stand where a value stands: behind a word it would be a command's."""
    before = _text(stream, index - 1)
    if before in _BEFORE_VALUES or (index in attributes and before in _ATTRIBUTES):
        return
    _refuse(stream[max(index - 1, 0)])


def _used_as_variable(stream: Sequence[Token], index: int) -> bool:
    """Whether a word is part of an expression or assigned to, and is no command."""
    before, after = _text(stream, index - 1), _text(stream, index + 1)
    if before in ("Macro", "Function", "Call"):
        return True
    if index + 1 < len(stream) and stream[index + 1].kind != "sign":
        return after in ("In", "Using")
    starts = before in ("", ";", "}") or before in _STATEMENTS - {"For"}
    return not starts or _is_assigned(stream, index)


def _assigned(stream: Sequence[Token]) -> frozenset[str]:
    """The script's own names: assigned somewhere, counted by a loop, or of a macro."""
    names = set()
    for index, token in enumerate(stream):
        defines = _text(stream, index - 1) in ("For", "Macro", "Function")
        if token.kind == "word" and (defines or _is_assigned(stream, index)):
            names.add(token.text)
    return frozenset(names)


def _is_assigned(stream: Sequence[Token], index: int) -> bool:
    """Whether the word at ``index``, with its index in brackets if it has one, is assigned to."""
    end = index + 1
    while _text(stream, end) in ("~", "(", "[", "{"):
        end = end + 1 if _text(stream, end) == "~" else closing(stream, end) + 1
    return _text(stream, end) in _ASSIGNING


def _inside_define_constant(stream: Sequence[Token]) -> frozenset[int]:
    """Indices of the tokens between the brackets of DefineConstant."""
    return frozenset(
        inside
        for index, token in enumerate(stream)
        if token.text in ("DefineConstant", "DefineNumber")
        for inside in range(index + 2, closing(stream, index + 1))
    )


def _has_members(stream: Sequence[Token], index: int) -> bool:
    """Whether what ends at ``index`` is an option's category or a field, as in ``Field[1].F``."""
    if _text(stream, index) not in ("]", ")"):
        return _text(stream, index) in _OPTIONS
    start = index - 1
    while start > 0 and closing(stream[: index + 1], start) != index:
        start -= 1
    return _text(stream, start - 1) == "Field"


def _is_field_type(stream: Sequence[Token], index: int) -> bool:
    """Whether the word at ``index`` follows ``Field[...] =``."""
    return _text(stream, index - 1) == "=" and _has_members(stream, index - 2)


def _text(stream: Sequence[Token], index: int) -> str:
    """The text at ``index``; empty outside the stream."""
    return stream[index].text if 0 <= index < len(stream) else ""


def _refuse(token: Token, what: str = "") -> NoReturn:
    place = f"line {token.line}: {token.text!r} {what}".rstrip()
    raise CaseError(
        f"{place} is not allowed in a geometry of a case directory; "
        "if you know the script and trust it, run with --trust"
    )
