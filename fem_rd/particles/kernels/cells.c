/* Sorting points by cell: a counting sort, nearly sequential for points that moved little. */

#include <stdint.h>
#include <string.h>

#include "cells.h"

static inline int32_t along(double x, double lower, double inverse, int32_t n) {
  double scaled = (x - lower) * inverse;
  scaled = scaled < n - 1 ? scaled : n - 1;
  return (int32_t)(scaled > 0 ? scaled : 0);
}

void cells_of(const Cells *cells, const double *x, int64_t stride, int64_t count, int32_t *cell) {
  const Cells c = *cells;
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

void cells_places(int32_t *cell, int64_t count, int32_t *start, int64_t cells) {
  memset(start, 0, (size_t)(cells + 1) * sizeof *start);
  for (int64_t i = 0; i < count; i++) start[cell[i]]++;
  int32_t sum = 0;
  for (int64_t c = 0; c <= cells; c++) {
    int32_t here = start[c];
    start[c] = sum;
    sum += here;
  }
  for (int64_t i = 0; i < count; i++) cell[i] = start[cell[i]]++;
  /* each entry has moved on to the end of its cell, the start of the next */
  memmove(start + 1, start, (size_t)cells * sizeof *start);
  start[0] = 0;
}

void cells_move_8(const int32_t *place, int64_t count, const uint64_t *from, uint64_t *to) {
  for (int64_t i = 0; i < count; i++) to[place[i]] = from[i];
}

void cells_move_4(const int32_t *place, int64_t count, const uint32_t *from, uint32_t *to) {
  for (int64_t i = 0; i < count; i++) to[place[i]] = from[i];
}
