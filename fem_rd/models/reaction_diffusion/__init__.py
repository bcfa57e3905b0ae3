"""Species that diffuse and react on a mesh."""
