/* The rows of cells within reach of a point, with the shifts of periodic images. */
#ifndef FEM_RD_REACH_H
#define FEM_RD_REACH_H

#include <math.h>
#include <stdint.h>

#include "cells.h"

typedef struct {
  int64_t begin, end; /* cells */
  double shift[3];    /* what to subtract from the point to see them */
} Run;

enum { RUNS_MOST = 32 };

typedef struct {
  int32_t cell;
  double shift;
} Layer;

/* Cells low ... high along an axis, each with its shift: for the axes that are not contiguous. */
static inline int layers(const Cells *c, int axis, double x, double radius, Layer *out) {
  const int32_t n = c->n[axis];
  const double scaled = (x - c->lower[axis]) * c->inverse[axis];
  const double reach = radius * c->inverse[axis];
  int32_t low = (int32_t)floor(scaled - reach), high = (int32_t)floor(scaled + reach);
  int found = 0;
  if (!c->periodic[axis]) {
    low = low < 0 ? 0 : low < n ? low : n - 1;
    high = high < 0 ? 0 : high < n ? high : n - 1;
    for (int32_t i = low; i <= high; i++) out[found++] = (Layer){i, 0};
    return found;
  }
  for (int32_t i = low; i <= high; i++) {
    int32_t image = i < 0 ? -1 : i >= n ? 1 : 0;
    out[found++] = (Layer){i - image * n, image * c->length[axis]};
  }
  return found;
}
#endif
