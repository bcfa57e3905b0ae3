/* A line and the facets of a cell, four at a time; whoever includes this has read walk.h. */
#ifndef FEM_RD_SIMPLEX_H
#define FEM_RD_SIMPLEX_H
#include <math.h>

#include "random.h"

typedef double fem_rd_lanes __attribute__((vector_size(32)));
typedef int64_t fem_rd_masks __attribute__((vector_size(32)));


/* Distances of x from the facets of a cell, inside positive, and how they change along d. */
FEM_RD_INLINE void fem_rd_heights(const fem_rd_mesh *mesh, int dimension, int32_t cell,
                                  const double *x, const double *d, fem_rd_lanes *height,
                                  fem_rd_lanes *change) {
  const fem_rd_lanes *plane = (const fem_rd_lanes *)mesh->planes + (int64_t)cell * (dimension + 1);
  fem_rd_lanes h = -plane[dimension], c = {0.0, 0.0, 0.0, 0.0};
  for (int a = 0; a < dimension; a++) h += plane[a] * x[a], c += plane[a] * d[a];
  *height = h, *change = c;
}

/* Whether all lanes of a comparison hold. */
FEM_RD_INLINE int fem_rd_all(fem_rd_masks m) { return (m[0] & m[1] & m[2] & m[3]) != 0; }

FEM_RD_INLINE fem_rd_lanes fem_rd_lower(fem_rd_lanes a, fem_rd_lanes b) {
  const fem_rd_masks less = a < b;
  return (fem_rd_lanes)((less & (fem_rd_masks)a) | (~less & (fem_rd_masks)b));
}

FEM_RD_INLINE double fem_rd_least(fem_rd_lanes v) {
  v = fem_rd_lower(v, (fem_rd_lanes){v[2], v[3], v[0], v[1]});
  return v[0] < v[1] ? v[0] : v[1];
}
#endif
