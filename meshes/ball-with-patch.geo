// A sphere of radius inner_radius at the origin, in a bath that a reservoir on the sphere of radius
// outer_radius feeds. The sphere is inert but for a reactive cap around the z axis, whose rim is
// seen from the centre under `angle` degrees.
//
// Regions:    domain
// Boundaries: patch (the cap), inert (the rest of the inner sphere), reservoir (the outer sphere)
//
// At the rim of the patch the concentration varies as the square root of the distance, however
// fine the mesh: the error of the rate is proportional to `size_edge`, the length of edges there.
// They grow by `edge_growth` per distance from the rim up to `size` at the inner sphere, and from
// there as r^growth up to `size_far`.

SetFactory("OpenCASCADE");
DefineConstant[
  inner_radius = {1, Min 0, Name "radius of the sphere with the patch"},
  outer_radius = {20 * inner_radius, Min 0, Name "radius of the reservoir sphere"},
  angle = {60, Min 0, Max 180, Name "angle between the axis and the rim of the patch, in degrees"},
  size_edge = {inner_radius / 200, Min 0, Name "length of edges at the rim of the patch"},
  edge_growth = {0.3, Min 0, Name "growth of edges per distance from the rim"},
  size = {inner_radius / 6, Min 0, Name "greatest length of edges at the inner sphere"},
  growth = {8 / 7, Min 0, Name "exponent with which edges grow with the distance"},
  size_far = {outer_radius / 3, Min 0, Name "greatest length of edges"}
];

If (inner_radius <= 0 || inner_radius >= outer_radius)
  Error("the spheres must follow each other: 0 < inner_radius < outer_radius");
EndIf
If (angle <= 0 || angle >= 180)
  Error("the angle of the patch must be between 0 and 180 degrees");
EndIf

// the inner ball, its own poles away from the patch, cut by a disk through the rim
half = angle * Pi / 180;
height = inner_radius * Cos(half);
Sphere(1) = {0, 0, 0, inner_radius};
Rotate{ {0, 1, 0}, {0, 0, 0}, Pi / 2 } { Volume{1}; }
Disk(10) = {0, 0, height, 1.1 * inner_radius * Sin(half)};
BooleanFragments{ Volume{1}; Delete; }{ Surface{10}; Delete; }
pieces() = Volume{:};
outer = newv;
Sphere(outer) = {0, 0, 0, outer_radius};
shell() = BooleanDifference{ Volume{outer}; Delete; }{ Volume{pieces()}; };
Recursive Delete{ Volume{pieces()}; }
ring() = Surface{:};
ring() -= {Unique(Abs(Boundary{ Volume{shell()}; }))};
Recursive Delete{ Surface{ring()}; }

// what belongs to the patch has its centre of mass above the plane of the rim
r = outer_radius * 0.999;
inner() = Surface In BoundingBox {-r, -r, -r, r, r, r};
reservoir() = Surface{:};
reservoir() -= {inner()};
patch() = {};
For k In {0 : #inner() - 1}
  centre() = CenterOfMass Surface{inner(k)};
  If (centre(2) > height)
    patch() += {inner(k)};
  EndIf
EndFor
inert() = {inner()};
inert() -= {patch()};

Physical Volume("domain") = {shell()};
Physical Surface("patch") = {patch()};
Physical Surface("inert") = {inert()};
Physical Surface("reservoir") = {reservoir()};

// distance from the rim, in the plane of the axis
Field[1] = MathEval;
Field[1].F = Sprintf("%.16g + %.16g * Sqrt((Sqrt(x*x + y*y) - %.16g)^2 + (z - (%.16g))^2)", size_edge, edge_growth, inner_radius * Sin(half), height);
Field[2] = MathEval;
Field[2].F = Sprintf("%.16g * (Sqrt(x*x + y*y + z*z) / %.16g)^%.16g", size, inner_radius, growth);
Field[3] = Min;
Field[3].FieldsList = {1, 2};
Background Field = 3;
Mesh.MeshSizeMax = size_far;
Mesh.MeshSizeExtendFromBoundary = 0;
Mesh.MeshSizeFromPoints = 0;
