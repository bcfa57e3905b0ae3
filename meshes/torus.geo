// A torus around the z axis, in a bath that a reservoir on the sphere of radius outer_radius feeds.
//
// Regions:    domain
// Boundaries: reactive (the torus), reservoir (the outer sphere)
//
// Edges at the torus have the length `size`; away from it they grow by `growth` per distance up to
// `size_far`.

SetFactory("OpenCASCADE");
DefineConstant[
  ring_radius = {2, Min 0, Name "radius of the circle in the middle of the tube"},
  tube_radius = {1, Min 0, Name "radius of the tube"},
  outer_radius = {20 * (ring_radius + tube_radius), Min 0, Name "radius of the reservoir sphere"},
  size = {tube_radius / 5, Min 0, Name "length of edges at the torus"},
  growth = {8 / 7 * size / tube_radius, Min 0, Name "growth of edges per distance from the torus"},
  size_far = {outer_radius / 3, Min 0, Name "greatest length of edges"}
];

If (tube_radius <= 0 || tube_radius >= ring_radius)
  Error("the tube must not close the hole: 0 < tube_radius < ring_radius");
EndIf
If (ring_radius + tube_radius >= outer_radius)
  Error("the torus must fit into the outer sphere: ring_radius + tube_radius < outer_radius");
EndIf

Sphere(1) = {0, 0, 0, outer_radius};
Torus(2) = {0, 0, 0, ring_radius, tube_radius};
shell() = BooleanDifference{ Volume{1}; Delete; }{ Volume{2}; Delete; };

r = 0.999 * outer_radius;
reactive() = Surface In BoundingBox {-r, -r, -r, r, r, r};
reservoir() = Surface{:};
reservoir() -= {reactive()};

Physical Volume("domain") = {shell()};
Physical Surface("reactive") = {reactive()};
Physical Surface("reservoir") = {reservoir()};

Field[1] = MathEval;
Field[1].F = Sprintf("%.16g + %.16g * (Sqrt((Sqrt(x*x + y*y) - %.16g)^2 + z*z) - %.16g)", size, growth, ring_radius, tube_radius);
Background Field = 1;
Mesh.MeshSizeMin = size / 2; // also inside the body, where the field means nothing
Mesh.MeshSizeMax = size_far;
Mesh.MeshSizeExtendFromBoundary = 0;
Mesh.MeshSizeFromPoints = 0;
