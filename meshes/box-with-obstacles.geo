// A box from the origin to (nx, ny, nz) * spacing with a sphere in the middle of each of its
// nx * ny * nz cubes: a crowded medium.
//
// Regions:    domain (the box without the spheres)
// Boundaries: obstacles (all spheres together); left, right (x), front, back (y), bottom, top (z)
//
// Edges have the length `size` at the spheres and grow by `growth` per distance up to `size_far`.

SetFactory("OpenCASCADE");
DefineConstant[
  spacing = {1, Min 0, Name "distance between the centres of neighbouring spheres"},
  radius = {0.3 * spacing, Min 0, Name "radius of the spheres"},
  nx = {2, Min 1, Name "number of spheres along x"},
  ny = {2, Min 1, Name "number of spheres along y"},
  nz = {2, Min 1, Name "number of spheres along z"},
  size = {Min(radius / 3, spacing / 2 - radius), Min 0, Name "length of edges at the spheres"},
  growth = {0.3, Min 0, Name "growth of edges per distance from the nearest sphere"},
  size_far = {spacing / 2, Min 0, Name "greatest length of edges"}
];

If (radius <= 0 || 2 * radius >= spacing)
  Error("the spheres must not touch: 0 < radius < spacing / 2");
EndIf
If (nx < 1 || ny < 1 || nz < 1 || nx != Round(nx) || ny != Round(ny) || nz != Round(nz))
  Error("nx, ny and nz must be whole numbers above 0");
EndIf

Box(1) = {0, 0, 0, nx * spacing, ny * spacing, nz * spacing};
For i In {0 : nx - 1}
  For j In {0 : ny - 1}
    For k In {0 : nz - 1}
      Sphere(2 + i + nx * (j + ny * k)) = {(i + 0.5) * spacing, (j + 0.5) * spacing, (k + 0.5) * spacing, radius};
    EndFor
  EndFor
EndFor
domain() = BooleanDifference{ Volume{1}; Delete; }{ Volume{2 : 1 + nx * ny * nz}; Delete; };

s = spacing / 1000;
x = nx * spacing;
y = ny * spacing;
z = nz * spacing;
left() = Surface In BoundingBox {-s, -s, -s, s, y + s, z + s};
right() = Surface In BoundingBox {x - s, -s, -s, x + s, y + s, z + s};
front() = Surface In BoundingBox {-s, -s, -s, x + s, s, z + s};
back() = Surface In BoundingBox {-s, y - s, -s, x + s, y + s, z + s};
bottom() = Surface In BoundingBox {-s, -s, -s, x + s, y + s, s};
top() = Surface In BoundingBox {-s, -s, z - s, x + s, y + s, z + s};
obstacles() = Surface In BoundingBox {s, s, s, x - s, y - s, z - s};

Physical Volume("domain") = {domain()};
Physical Surface("obstacles") = {obstacles()};
Physical Surface("left") = {left()};
Physical Surface("right") = {right()};
Physical Surface("front") = {front()};
Physical Surface("back") = {back()};
Physical Surface("bottom") = {bottom()};
Physical Surface("top") = {top()};

// distance from the centre of the cube around each point
Field[1] = MathEval;
Field[1].F = Sprintf("%.16g + %.16g * (%.16g * Sqrt((x / %.16g - Floor(x / %.16g) - 0.5)^2 + (y / %.16g - Floor(y / %.16g) - 0.5)^2 + (z / %.16g - Floor(z / %.16g) - 0.5)^2) - %.16g)", size, growth, spacing, spacing, spacing, spacing, spacing, spacing, spacing, radius);
Background Field = 1;
Mesh.MeshSizeMin = size / 2; // also inside the body, where the field means nothing
Mesh.MeshSizeMax = size_far;
Mesh.MeshSizeExtendFromBoundary = 0;
Mesh.MeshSizeFromPoints = 0;
