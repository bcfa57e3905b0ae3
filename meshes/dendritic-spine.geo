// A dendritic spine: a spherical head with a synapse on its top, on a thin neck that stands on a
// piece of dendrite, a cylinder along x around the origin.
//
// Regions:    head (the sphere), dendrite (the cylinder and the neck)
// Boundaries: synapse (the cap of the head within synapse_angle of its top), ends (of the piece of
//             dendrite), membrane (all else)
//
// The neck opens into the head through the part of the sphere that lies within the neck. Edges have
// the length `size` there, and grow by `growth` per distance up to `size_far`.

SetFactory("OpenCASCADE");
DefineConstant[
  head_radius = {0.3, Min 0, Name "radius of the head"},
  neck_radius = {0.1, Min 0, Name "radius of the neck"},
  neck_length = {0.5, Min 0, Name "length of the neck, from the dendrite to the head"},
  dendrite_radius = {0.4, Min 0, Name "radius of the dendrite"},
  dendrite_length = {2, Min 0, Name "length of the piece of dendrite"},
  synapse_angle = {45, Min 0, Max 89, Name "angle at the centre of the head between top and rim, in degrees"},
  size = {neck_radius / 3, Min 0, Name "length of edges where the neck opens into the head"},
  growth = {0.15, Min 0, Name "growth of edges per distance from there"},
  size_far = {dendrite_radius / 3, Min 0, Name "greatest length of edges"}
];

If (neck_radius <= 0 || neck_radius >= head_radius || neck_radius >= dendrite_radius)
  Error("the neck must be thinner than the head and the dendrite: 0 < neck_radius < head_radius, dendrite_radius");
EndIf
If (2 * neck_radius >= dendrite_length)
  Error("the neck must stand on the piece of dendrite: 2 neck_radius < dendrite_length");
EndIf

mouth = dendrite_radius + neck_length;                         // where the neck meets the sphere
centre = mouth + Sqrt(head_radius^2 - neck_radius^2);
rim = Pi / 2 - synapse_angle * Pi / 180;                       // latitude of the synapse's rim

Cylinder(1) = {-dendrite_length / 2, 0, 0, dendrite_length, 0, 0, dendrite_radius};
Cylinder(2) = {0, 0, 0, 0, 0, centre, neck_radius};
BooleanUnion(3) = { Volume{1}; Delete; }{ Volume{2}; Delete; };
Sphere(4) = {0, 0, centre, head_radius, -Pi / 2, rim, 2 * Pi};
Sphere(5) = {0, 0, centre, head_radius, rim, Pi / 2, 2 * Pi};
BooleanFragments{ Volume{3, 4, 5}; Delete; }{}

slack = 1e-3 * neck_radius;
h = head_radius + slack;
head() = Volume In BoundingBox {-h, -h, centre - h, h, h, centre + h};
dendrite() = Volume{:};
dendrite() -= {head()};
low = centre + head_radius * Sin(rim) - slack;
cap() = Surface In BoundingBox {-h, -h, low, h, h, centre + h};
flat() = Surface In BoundingBox {-h, -h, low, h, h, low + 2 * slack};
cap() -= {flat()};
x = dendrite_length / 2;
r = dendrite_radius + slack;
ends() = Surface In BoundingBox {-x - slack, -r, -r, -x + slack, r, r};
ends() += Surface In BoundingBox {x - slack, -r, -r, x + slack, r, r};

membrane() = CombinedBoundary { Volume{:}; };
membrane() = Abs(membrane());
membrane() -= {cap(), ends()};

Physical Volume("head") = {head()};
Physical Volume("dendrite") = {dendrite()};
Physical Surface("synapse") = {cap()};
Physical Surface("ends") = {ends()};
Physical Surface("membrane") = {membrane()};

Field[1] = MathEval;
Field[1].F = Sprintf("%.16g + %.16g * Sqrt(x*x + y*y + (z - %.16g)^2)", size, growth, mouth);
Background Field = 1;
Mesh.MeshSizeMin = size;
Mesh.MeshSizeMax = size_far;
Mesh.MeshSizeExtendFromBoundary = 0;
Mesh.MeshSizeFromPoints = 0;
