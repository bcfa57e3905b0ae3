/* The cells within reach of a point: runs of neighbouring cells along x, with the shift of their
 * periodic image. A cell is at least two radii wide (or the only one along its axis), so that two
 * layers of cells along each axis are enough, and three where rounding wants it. */
#ifndef FEM_RD_REACH_H
#define FEM_RD_REACH_H
#include <math.h>
#include <stdint.h>

#include "cells.h"

enum { FEM_RD_LAYERS = 3, FEM_RD_RUNS = 27 };

typedef struct {
  int64_t begin, end; /* cells, the end not included */
  double shift[3];    /* what to add to their points to see them from here */
} fem_rd_run;

typedef struct {
  int32_t begin, end;
  double shift;
} fem_rd_layer;

/* Cells along an axis that lie within the radius of x, one layer for each image of the box. */
static inline int fem_rd_layers(const fem_rd_cells *c, int axis, double x, double radius,
                                fem_rd_layer *layer) {
  const int32_t n = c->n[axis];
  const double scaled = (x - c->lower[axis]) * c->inverse[axis];
  const double reach = radius * c->inverse[axis];
  double bottom = scaled - reach, top = scaled + reach;
  bottom = bottom > -n ? bottom : -n;
  top = top < 2 * n - 1 ? top : 2 * n - 1;
  int32_t low = (int32_t)floor(bottom), high = (int32_t)floor(top);
  int found = 0;
  const int32_t inner = low > 0 ? low : 0, outer = high < n - 1 ? high : n - 1;
  if (__builtin_expect(c->periodic[axis], 0)) {
    if (low < 0)
      layer[found++] = (fem_rd_layer){low + n, (high < 0 ? high + 1 : 0) + n, -c->length[axis]};
    if (high >= n)
      layer[found++] = (fem_rd_layer){low > n ? low - n : 0, high - n + 1, c->length[axis]};
    if (inner <= outer) layer[found++] = (fem_rd_layer){inner, outer + 1, 0};
    return found;
  }
  if (inner > outer) /* the point lies outside: what is there belongs to the nearest cell */
    layer[found++] = (fem_rd_layer){low < 0 ? 0 : n - 1, low < 0 ? 1 : n, 0};
  else
    layer[found++] = (fem_rd_layer){inner, outer + 1, 0};
  return found;
}

static inline __attribute__((always_inline)) int fem_rd_reach(const fem_rd_cells *c,
                                                              const int dimension, const double *x,
                                                              double radius, fem_rd_run *run) {
  fem_rd_layer layers[3][FEM_RD_LAYERS];
  int number[3] = {1, 1, 1}, found = 0;
  for (int axis = 0; axis < dimension; axis++)
    number[axis] = fem_rd_layers(c, axis, x[axis], radius, layers[axis]);
  for (int axis = dimension; axis < 3; axis++) layers[axis][0] = (fem_rd_layer){0, 1, 0};
  for (int k = 0; k < number[2]; k++)
    for (int32_t z = layers[2][k].begin; z < layers[2][k].end; z++)
      for (int j = 0; j < number[1]; j++)
        for (int32_t y = layers[1][j].begin; y < layers[1][j].end; y++)
          for (int i = 0; i < number[0] && found < FEM_RD_RUNS; i++) {
            const int64_t row = ((int64_t)z * c->n[1] + y) * c->n[0];
            run[found++] =
                (fem_rd_run){row + layers[0][i].begin,
                             row + layers[0][i].end,
                             {layers[0][i].shift, layers[1][j].shift, layers[2][k].shift}};
          }
  return found;
}
#endif
