/* Sorting points by cell: a counting sort, nearly sequential for points that moved little. */
#include "cells.h"

#include <string.h>

static inline int32_t along(double x, double lower, double inverse, int32_t n) {
  double scaled = (x - lower) * inverse;
  scaled = scaled < n - 1 ? scaled : n - 1;
  return (int32_t)(scaled > 0 ? scaled : 0);
}

void fem_rd_cells_of(const fem_rd_cells *cells, const double *x, int64_t stride, int64_t count,
                     int32_t *cell) {
  const fem_rd_cells c = *cells;
#pragma omp simd
  for (int64_t i = 0; i < count; i++) cell[i] = along(x[i], c.lower[0], c.inverse[0], c.n[0]);
  int32_t row = c.n[0];
  for (int axis = 1; axis < c.dimension; axis++) {
    const double *y = x + axis * stride;
    const double lower = c.lower[axis], inverse = c.inverse[axis];
    const int32_t n = c.n[axis];
#pragma omp simd
    for (int64_t i = 0; i < count; i++) cell[i] += row * along(y[i], lower, inverse, n);
    row *= n;
  }
}

void fem_rd_cells_places(int32_t *cell, int64_t count, int32_t *start, int64_t cells) {
  memset(start, 0, (size_t)(cells + 1) * sizeof *start);
  for (int64_t i = 0; i < count; i++) start[cell[i]]++;
  int32_t sum = 0;
  for (int64_t c = 0; c <= cells; c++) {
    const int32_t here = start[c];
    start[c] = sum;
    sum += here;
  }
  for (int64_t i = 0; i < count; i++) cell[i] = start[cell[i]]++;
  /* each entry has moved on to the end of its cell, which is the start of the next */
  memmove(start + 1, start, (size_t)cells * sizeof *start);
  start[0] = 0;
}

void fem_rd_cells_move_8(const int32_t *place, int64_t count, const void *from, void *to) {
  const uint64_t *source = from;
  uint64_t *target = to;
  for (int64_t i = 0; i < count; i++) target[place[i]] = source[i];
}

void fem_rd_cells_move_4(const int32_t *place, int64_t count, const void *from, void *to) {
  const uint32_t *source = from;
  uint32_t *target = to;
  for (int64_t i = 0; i < count; i++) target[place[i]] = source[i];
}
