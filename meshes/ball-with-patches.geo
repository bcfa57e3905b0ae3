// A sphere of radius inner_radius at the origin, in a bath that a reservoir on the sphere of radius
// outer_radius feeds. The sphere is inert but for `count` equal reactive caps, whose rims are seen
// from the centre under `angle` degrees from their axes. Two caps are at the poles, six at the
// corners of an octahedron; any other number is spread evenly along a Fibonacci spiral.
//
// Regions:    domain
// Boundaries: patches (all caps together), inert (the rest of the inner sphere),
//             reservoir (the outer sphere)
//
// Edges have the length `size_edge` at the rims of the caps, where the concentration varies as the
// square root of the distance. They grow by `edge_growth` per distance from the rims up to `size`
// at the inner sphere, and from there as r^growth up to `size_far`.

SetFactory("OpenCASCADE");
DefineConstant[
  inner_radius = {1, Min 0, Name "radius of the sphere with the patches"},
  outer_radius = {20 * inner_radius, Min 0, Name "radius of the reservoir sphere"},
  count = {6, Min 1, Name "number of patches"},
  angle = {10, Min 0, Max 90, Name "angle between the axis and the rim of a patch, in degrees"},
  size_edge = {inner_radius * angle / 2000, Min 0, Name "length of edges at the rims"},
  edge_growth = {0.4, Min 0, Name "growth of edges per distance from the rims"},
  size = {inner_radius / 6, Min 0, Name "greatest length of edges at the inner sphere"},
  growth = {8 / 7, Min 0, Name "exponent with which edges grow with the distance"},
  size_far = {outer_radius / 3, Min 0, Name "greatest length of edges"}
];

If (inner_radius <= 0 || inner_radius >= outer_radius)
  Error("the spheres must follow each other: 0 < inner_radius < outer_radius");
EndIf
If (count < 1 || count != Round(count))
  Error("the count of patches must be a whole number above 0");
EndIf
If (angle <= 0 || angle > 90)
  Error("the angle of the patches must be above 0 and at most 90 degrees");
EndIf

// axes of the patches: height z and direction phi of each in the plane
height() = {};
phi() = {};
For i In {0 : count - 1}
  height() += {1 - (2 * i + 1) / count};
  phi() += {i * Pi * (3 - Sqrt(5))};
EndFor
If (count <= 2)
  height() = {1, -1};
  phi() = {0, 0};
EndIf
If (count == 6)
  height() = {1, -1, 0, 0, 0, 0};
  phi() = {0, 0, 0, Pi / 2, Pi, 3 * Pi / 2};
EndIf
For i In {0 : count - 1}
  For j In {0 : i - 1}
    planar = Sqrt((1 - height(i)^2) * (1 - height(j)^2)) * Cos(phi(i) - phi(j));
    If (Acos(Max(-1, Min(1, height(i) * height(j) + planar))) <= 2 * angle * Pi / 180)
      Error("the patches overlap: take fewer of them or a smaller angle");
    EndIf
  EndFor
EndFor

// the inner ball, its own poles between the patches of an octahedron, cut by a disk through each
// rim, and the pieces cut out of the outer ball
half = angle * Pi / 180;
Sphere(1) = {0, 0, 0, inner_radius};
Rotate{ {-1, 1, 0}, {0, 0, 0}, Acos(1 / Sqrt(3)) } { Volume{1}; }
For i In {0 : count - 1}
  Disk(10 + i) = {0, 0, inner_radius * Cos(half), 1.1 * inner_radius * Sin(half)};
  Rotate{ {0, 1, 0}, {0, 0, 0}, Acos(height(i)) } { Surface{10 + i}; }
  Rotate{ {0, 0, 1}, {0, 0, 0}, phi(i) } { Surface{10 + i}; }
EndFor
BooleanFragments{ Volume{1}; Delete; }{ Surface{10 : 9 + count}; Delete; }
pieces() = Volume{:};
outer = newv;
Sphere(outer) = {0, 0, 0, outer_radius};
shell() = BooleanDifference{ Volume{outer}; Delete; }{ Volume{pieces()}; };
Recursive Delete{ Volume{pieces()}; }
rings() = Surface{:};
rings() -= {Unique(Abs(Boundary{ Volume{shell()}; }))};
Recursive Delete{ Surface{rings()}; }

s = inner_radius / 1000;
r = outer_radius - s;
inert() = Surface In BoundingBox {-r, -r, -r, r, r, r};
reservoir() = Surface{:};
reservoir() -= {inert()};
// what belongs to a patch has its centre of mass beyond the plane of the patch's rim
patches() = {};
For k In {0 : #inert() - 1}
  centre() = CenterOfMass Surface{inert(k)};
  For i In {0 : count - 1}
    planar = Sqrt(1 - height(i)^2);
    along = planar * (Cos(phi(i)) * centre(0) + Sin(phi(i)) * centre(1)) + height(i) * centre(2);
    If (along > inner_radius * Cos(half))
      patches() += {inert(k)};
    EndIf
  EndFor
EndFor
If (#patches() < count)
  Error("Gmsh did not make all the patches");
EndIf
inert() -= {patches()};

Physical Volume("domain") = {shell()};
Physical Surface("patches") = {patches()};
Physical Surface("inert") = {inert()};
Physical Surface("reservoir") = {reservoir()};

Field[1] = Distance;
Field[1].CurvesList = {Unique(Abs(CombinedBoundary{ Surface{patches()}; }))};
Field[1].Sampling = Ceil(2 * Pi * inner_radius * Sin(half) / size_edge);
Field[2] = MathEval;
Field[2].F = Sprintf("%.16g + %.16g * F1", size_edge, edge_growth);
Field[3] = MathEval;
Field[3].F = Sprintf("%.16g * (Sqrt(x*x + y*y + z*z) / %.16g)^%.16g", size, inner_radius, growth);
Field[4] = Min;
Field[4].FieldsList = {2, 3};
Background Field = 4;
Mesh.MeshSizeMax = size_far;
Mesh.MeshSizeExtendFromBoundary = 0;
Mesh.MeshSizeFromPoints = 0;
