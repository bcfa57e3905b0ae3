// A ball around the origin: a pellet, a droplet or a cell.
//
// Regions:    domain, surface_layer (r > radius - layer); a layer of width 0 is absent
// Boundaries: surface (r = radius)
//
// Edges have the length `size` at the surface and grow towards the centre up to `size_far`: what
// enters through the surface and is consumed varies most there.

SetFactory("OpenCASCADE");
DefineConstant[
  radius = {1, Min 0, Name "radius of the ball"},
  layer = {0, Min 0, Name "width of the layer at the surface, 0: none"},
  size = {radius / 6, Min 0, Name "length of edges at the surface"},
  size_far = {radius / 3, Min 0, Name "length of edges at the centre"}
];

If (radius <= 0 || layer >= radius)
  Error("the layer must lie within the ball: 0 < radius, layer < radius");
EndIf

Sphere(1) = {0, 0, 0, radius};
If (layer > 0)
  Sphere(2) = {0, 0, 0, radius - layer};
EndIf
BooleanFragments{ Volume{:}; Delete; }{}

b = radius - layer + radius / 1000;
surface() = Surface{:};
If (layer > 0)
  core() = Volume In BoundingBox {-b, -b, -b, b, b, b};
  shell() = Volume{:};
  shell() -= core();
  surface() -= Surface In BoundingBox {-b, -b, -b, b, b, b};
  Physical Volume("domain") = {core()};
  Physical Volume("surface_layer") = {shell()};
Else
  Physical Volume("domain") = {Volume{:}};
EndIf
Physical Surface("surface") = {surface()};

Field[1] = MathEval;
Field[1].F = Sprintf("%.16g + (%.16g) * (1 - Sqrt(x*x + y*y + z*z) / %.16g)", size, size_far - size, radius);
Background Field = 1;
Mesh.MeshSizeExtendFromBoundary = 0;
Mesh.MeshSizeFromPoints = 0;
