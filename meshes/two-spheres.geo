// Two spheres on the z axis, their centres at z = -distance/2 (first) and z = distance/2 (second),
// in a bath that a reservoir on the sphere of radius outer_radius around the origin feeds.
//
// Regions:    domain
// Boundaries: first, second (the two spheres), reservoir (the outer sphere)
//
// Edges have the length `size` at both spheres and grow as the growth-th power of the distance from
// the nearer centre, up to `size_far`; in a narrow gap between the spheres they are shorter.

SetFactory("OpenCASCADE");
DefineConstant[
  first_radius = {1, Min 0, Name "radius of the first sphere"},
  second_radius = {first_radius, Min 0, Name "radius of the second sphere"},
  distance = {3 * Max(first_radius, second_radius), Min 0, Name "distance of the centres"},
  outer_radius = {10 * distance, Min 0, Name "radius of the reservoir sphere"},
  size = {Min(first_radius, second_radius) / 6, Min 0, Name "length of edges at the spheres"},
  growth = {8 / 7, Min 0, Name "exponent with which edges grow with the distance"},
  size_gap = {(distance - first_radius - second_radius) / 2, Min 0, Name "length of edges in the gap"},
  size_far = {outer_radius / 3, Min 0, Name "greatest length of edges"}
];

If (first_radius <= 0 || second_radius <= 0)
  Error("the radii of the spheres must be above 0");
EndIf
If (first_radius + second_radius >= distance)
  Error("the spheres must not touch: first_radius + second_radius < distance");
EndIf
If (distance / 2 + Max(first_radius, second_radius) >= outer_radius)
  Error("the spheres must fit into the outer sphere: distance/2 + radius < outer_radius");
EndIf

h = distance / 2;
Sphere(1) = {0, 0, 0, outer_radius};
Sphere(2) = {0, 0, -h, first_radius};
Sphere(3) = {0, 0, h, second_radius};
shell() = BooleanDifference{ Volume{1}; Delete; }{ Volume{2, 3}; Delete; };

s = Min(first_radius, second_radius) / 1000;
r = first_radius + s;
first() = Surface In BoundingBox {-r, -r, -h - r, r, r, -h + r};
r = second_radius + s;
second() = Surface In BoundingBox {-r, -r, h - r, r, r, h + r};
reservoir() = Surface{:};
reservoir() -= {first(), second()};

Physical Volume("domain") = {shell()};
Physical Surface("first") = {first()};
Physical Surface("second") = {second()};
Physical Surface("reservoir") = {reservoir()};

gap = (first_radius - second_radius) / 2; // height of its middle
Field[1] = MathEval;
Field[1].F = Sprintf("%.16g * (Sqrt(x*x + y*y + (z + %.16g)^2) / %.16g)^%.16g", size, h, first_radius, growth);
Field[2] = MathEval;
Field[2].F = Sprintf("%.16g * (Sqrt(x*x + y*y + (z - %.16g)^2) / %.16g)^%.16g", size, h, second_radius, growth);
Field[3] = MathEval;
Field[3].F = Sprintf("%.16g + 0.3 * Sqrt(x*x + y*y + (z - (%.16g))^2)", size_gap, gap);
Field[4] = Min;
Field[4].FieldsList = {1, 2, 3};
Background Field = 4;
Mesh.MeshSizeMax = size_far;
Mesh.MeshSizeExtendFromBoundary = 0;
Mesh.MeshSizeFromPoints = 0;
