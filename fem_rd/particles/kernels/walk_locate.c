/* The cell that a point is in: among those that reach into its bin, the one it is deepest in. */
#include "walk.h"

#include "simplex.h"
#include "walk_parts.h"

FEM_RD_INLINE int32_t deepest(const fem_rd_mesh *mesh, const fem_rd_bins *bins, int dimension,
                              const double *x) {
  const double still[3] = {0.0, 0.0, 0.0};
  int64_t bin = 0, row = 1;
  for (int a = 0; a < dimension; a++) {
    const double scaled = (x[a] - bins->lower[a]) * bins->inverse[a];
    if (!(scaled > -1.0 && scaled < bins->n[a] + 1.0)) return -1; /* nan as well */
    const int32_t last = bins->n[a] - 1, at = scaled > 0.0 ? (int32_t)scaled : 0;
    bin += row * (at < last ? at : last);
    row *= bins->n[a];
  }
  int32_t found = -1;
  double depth = -mesh->tolerance;
  for (int32_t k = bins->start[bin]; k < bins->start[bin + 1]; k++) {
    fem_rd_lanes height, change;
    fem_rd_heights(mesh, dimension, bins->cells[k], x, still, &height, &change);
    const double inside = fem_rd_least(height);
    if (inside > mesh->tolerance) return bins->cells[k]; /* in no other */
    if (inside >= depth) depth = inside, found = bins->cells[k];
  }
  return found;
}

int32_t fem_rd_cell_of(const fem_rd_mesh *mesh, const fem_rd_bins *bins, const double *x) {
  switch (mesh->dimension) {
    case 1: return deepest(mesh, bins, 1, x);
    case 2: return deepest(mesh, bins, 2, x);
    default: return deepest(mesh, bins, 3, x);
  }
}

static int is_in(const fem_rd_mesh *mesh, int32_t cell, const double *x) {
  const double still[3] = {0.0, 0.0, 0.0};
  if ((uint32_t)cell >= (uint32_t)mesh->cells) return 0;
  fem_rd_lanes height, change;
  fem_rd_heights(mesh, mesh->dimension, cell, x, still, &height, &change);
  return fem_rd_least(height) >= -mesh->tolerance;
}

void fem_rd_locate(const fem_rd_mesh *mesh, const fem_rd_bins *bins, const double *x,
                   int64_t stride, int64_t count, int32_t *cell) {
  for (int64_t i = 0; i < count; i++) {
    double point[3] = {0.0, 0.0, 0.0};
    for (int a = 0; a < mesh->dimension; a++) point[a] = x[a * stride + i];
    if (!is_in(mesh, cell[i], point)) cell[i] = fem_rd_cell_of(mesh, bins, point);
  }
}
