// Source of channel.msh: a channel of width 1, tilted by 30 degrees, filled with two materials.
//   python3 -c "import gmsh; gmsh.initialize(['gmsh', 'channel.geo', '-2'], run=True)"
// or, where the Gmsh application is installed:  gmsh -2 channel.geo
SetFactory("OpenCASCADE");
Rectangle(1) = {0, 0, 0, 2, 1};
Rectangle(2) = {2, 0, 0, 1, 1};
BooleanFragments{ Surface{1, 2}; Delete; }{}
Rotate {{0, 0, 1}, {0, 0, 0}, Pi / 6} { Surface{1, 2}; }

c = Cos(Pi / 6); s = Sin(Pi / 6); e = 1e-3;
inlet() = Curve In BoundingBox {-s - e, -e, -e, e, c + e, e};
outlet() = Curve In BoundingBox {3*c - s - e, 3*s - e, -e, 3*c + e, 3*s + c + e, e};
between() = Curve In BoundingBox {2*c - s - e, 2*s - e, -e, 2*c + e, 2*s + c + e, e};
walls() = Curve{:};
walls() -= {inlet(), outlet(), between()};

Physical Surface("gel") = {1};
Physical Surface("fibres") = {2};
Physical Curve("inlet") = {inlet()};
Physical Curve("membrane") = {outlet()};
Physical Curve("walls") = {walls()};

Mesh.MeshSizeMax = 0.2;
Mesh.MshFileVersion = 4.1;
Mesh.Binary = 0;
