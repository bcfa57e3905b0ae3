// An ellipsoid with its axes along x, y and z around the origin, in a bath that a reservoir on the
// sphere of radius outer_radius feeds. With two equal semi-axes it is a spheroid.
//
// Regions:    domain
// Boundaries: reactive (the ellipsoid), reservoir (the outer sphere)
//
// Edges at the ellipsoid have the length `size` times its radius of curvature there (of the root
// of the sum of squares of the two curvatures), but no more than `size` times the middle semi-axis.
// Away from it they grow by `growth` per distance up to `size_far`.

SetFactory("OpenCASCADE");
DefineConstant[
  a = {2, Min 0, Name "semi-axis along x"},
  b = {1, Min 0, Name "semi-axis along y"},
  c = {1, Min 0, Name "semi-axis along z"},
  outer_radius = {20 * Max(a, Max(b, c)), Min 0, Name "radius of the reservoir sphere"},
  size = {0.2, Min 0, Name "length of edges at the ellipsoid, by its radius of curvature"},
  growth = {8 / 7 * size, Min 0, Name "growth of edges per distance from the ellipsoid"},
  size_far = {outer_radius / 3, Min 0, Name "greatest length of edges"}
];

greatest = Max(a, Max(b, c));
least = Min(a, Min(b, c));
If (least <= 0 || greatest >= outer_radius)
  Error("the ellipsoid must fit into the outer sphere: 0 < a, b, c < outer_radius");
EndIf

Sphere(1) = {0, 0, 0, outer_radius};
Sphere(2) = {0, 0, 0, 1};
// Gmsh meshes it best with its poles on the axis that differs most from the others
pole = greatest * least > (a + b + c - greatest - least)^2 ? greatest : least;
If (a == pole)
  Rotate{ {0, 1, 0}, {0, 0, 0}, Pi / 2 } { Volume{2}; }
ElseIf (b == pole)
  Rotate{ {1, 0, 0}, {0, 0, 0}, Pi / 2 } { Volume{2}; }
EndIf
Dilate{ {0, 0, 0}, {a, b, c} } { Volume{2}; }
shell() = BooleanDifference{ Volume{1}; Delete; }{ Volume{2}; Delete; };

r = 0.999 * outer_radius;
reactive() = Surface In BoundingBox {-r, -r, -r, r, r, r};
reservoir() = Surface{:};
reservoir() -= {reactive()};

Physical Volume("domain") = {shell()};
Physical Surface("reactive") = {reactive()};
Physical Surface("reservoir") = {reservoir()};

// With D = diag(1/a^2, 1/b^2, 1/c^2), at the point x/sqrt(x.D.x) of the ellipsoid on the ray to x:
// p^2 = x.D.x / x.D^2.x, of the distance p of the tangent plane from the centre;
// n.D.n = x.D^3.x / x.D^2.x and n.D^2.n = x.D^4.x / x.D^2.x, of the unit normal n;
// sum of the squares of the curvatures: p^2 (tr D^2 - 2 n.D^2.n + (n.D.n)^2).
// The distance from the ellipsoid is about (sqrt(x.D.x) - 1) p.
square = "(x*x*%.10g + y*y*%.10g + z*z*%.10g)";
d1 = Sprintf(square, a^(-2), b^(-2), c^(-2));
d2 = Sprintf(square, a^(-4), b^(-4), c^(-4));
d3 = Sprintf(square, a^(-6), b^(-6), c^(-6));
d4 = Sprintf(square, a^(-8), b^(-8), c^(-8));
trace = Sprintf("%.10g", a^(-4) + b^(-4) + c^(-4));
p = StrCat("Sqrt(", d1, " / ", d2, ")");
bending = StrCat(p, " * Sqrt(", trace, " - 2 * ", d4, " / ", d2, " + (", d3, " / ", d2, ")^2)");
away = StrCat(Sprintf("%.10g", growth), " * (Sqrt(", d1, ") - 1) * ", p);
Field[1] = MathEval;
Field[1].F = StrCat(Sprintf("%.10g", size), " / (", bending, ") + ", away);
Field[2] = MathEval;
Field[2].F = StrCat(Sprintf("%.10g", size * (a + b + c - greatest - least)), " + ", away);
Field[3] = Min;
Field[3].FieldsList = {1, 2};
Background Field = 3;
Mesh.MeshSizeMin = size * least^2 / greatest / 2; // also inside the body, where the field means nothing
Mesh.MeshSizeMax = size_far;
Mesh.MeshSizeExtendFromBoundary = 0;
Mesh.MeshSizeFromPoints = 0;
