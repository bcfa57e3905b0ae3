/* A line and the facets of a cell, four at a time; whoever includes this has read walk.h. */
#ifndef FEM_RD_SIMPLEX_H
#define FEM_RD_SIMPLEX_H
#include <math.h>

#include "random.h"

typedef double fem_rd_lanes __attribute__((vector_size(32)));
typedef int64_t fem_rd_masks __attribute__((vector_size(32)));

typedef struct {
  double x[3], d[3]; /* the line of the step, x + t d, mirrored as often as it was reflected */
  int32_t cell;
  int32_t left; /* the facet through which the particle left, or -1 */
} fem_rd_flight;

/* Distances of x from the facets of a cell, inside positive, and how they change along d. */
FEM_RD_INLINE void fem_rd_heights(const fem_rd_mesh *mesh, int dimension, int32_t cell,
                                  const double *x, const double *d, fem_rd_lanes *height,
                                  fem_rd_lanes *change) {
  const fem_rd_lanes *plane = (const fem_rd_lanes *)mesh->planes + (int64_t)cell * (dimension + 1);
  fem_rd_lanes h = -plane[dimension], c = {0.0, 0.0, 0.0, 0.0};
  for (int a = 0; a < dimension; a++) h += plane[a] * x[a], c += plane[a] * d[a];
  *height = h, *change = c;
}

FEM_RD_INLINE double fem_rd_least(fem_rd_lanes v) {
  return fmin(fmin(v[0], v[1]), fmin(v[2], v[3]));
}
#endif
