// The space between two concentric spheres around the origin: a reactive sphere in a bath that a
// reservoir on the outer sphere feeds. With a layer, the shell next to the sphere is a region of
// its own, to which reactions can be confined.
//
// Regions:    domain, reactive_layer (r < inner_radius + reactive_layer),
//             reservoir_layer (r > outer_radius - reservoir_layer); a layer of width 0 is absent
// Boundaries: reactive (r = inner_radius), reservoir (r = outer_radius)
//
// Edges have the length `size` at the reactive sphere and grow as r^growth up to `size_far`; a thin
// layer needs them short enough to follow its two spheres without crossing them. For a
// concentration that varies as 1/r, quadratic elements give the smallest error of the rate for
// their number with growth = 8/7.

SetFactory("OpenCASCADE");
DefineConstant[
  inner_radius = {1, Min 0, Name "radius of the reactive sphere"},
  outer_radius = {5 * inner_radius, Min 0, Name "radius of the reservoir sphere"},
  reactive_layer = {0, Min 0, Name "width of the layer at the reactive sphere, 0: none"},
  reservoir_layer = {0, Min 0, Name "width of the layer at the reservoir sphere, 0: none"},
  size = {reactive_layer > 0 ? Min(inner_radius / 8, Sqrt(inner_radius * reactive_layer)) : inner_radius / 8, Min 0, Name "length of edges at the reactive sphere"},
  growth = {8 / 7, Min 0, Name "exponent with which edges grow with the distance"},
  size_far = {reservoir_layer > 0 ? Min(outer_radius / 4, Sqrt(outer_radius * reservoir_layer)) : outer_radius / 4, Min 0, Name "greatest length of edges"}
];

If (inner_radius <= 0 || inner_radius + reactive_layer + reservoir_layer >= outer_radius)
  Error("the spheres and layers must follow each other: 0 < inner_radius, inner_radius + reactive_layer + reservoir_layer < outer_radius");
EndIf

Sphere(1) = {0, 0, 0, inner_radius};
Sphere(2) = {0, 0, 0, outer_radius};
If (reactive_layer > 0)
  Sphere(3) = {0, 0, 0, inner_radius + reactive_layer};
EndIf
If (reservoir_layer > 0)
  Sphere(4) = {0, 0, 0, outer_radius - reservoir_layer};
EndIf
BooleanFragments{ Volume{:}; Delete; }{}

// what lies within a radius, less what lies further inside
slack = inner_radius / 1000;
b = inner_radius + slack;
hole() = Volume In BoundingBox {-b, -b, -b, b, b, b};
reactive() = Surface In BoundingBox {-b, -b, -b, b, b, b};
b = inner_radius + reactive_layer + slack;
first() = Volume In BoundingBox {-b, -b, -b, b, b, b};
first() -= hole();
b = outer_radius - reservoir_layer + slack;
middle() = Volume In BoundingBox {-b, -b, -b, b, b, b};
middle() -= {hole(), first()};
last() = Volume{:};
last() -= {hole(), first(), middle()};
b = outer_radius - slack;
reservoir() = Surface{:};
reservoir() -= Surface In BoundingBox {-b, -b, -b, b, b, b};
Delete { Volume{hole()}; }

Physical Volume("domain") = {middle()};
If (reactive_layer > 0)
  Physical Volume("reactive_layer") = {first()};
EndIf
If (reservoir_layer > 0)
  Physical Volume("reservoir_layer") = {last()};
EndIf
Physical Surface("reactive") = {reactive()};
Physical Surface("reservoir") = {reservoir()};

Field[1] = MathEval;
Field[1].F = Sprintf("%.16g * (Sqrt(x*x + y*y + z*z) / %.16g)^%.16g", size, inner_radius, growth);
Background Field = 1;
Mesh.MeshSizeMax = size_far;
Mesh.MeshSizeExtendFromBoundary = 0;
Mesh.MeshSizeFromPoints = 0;
