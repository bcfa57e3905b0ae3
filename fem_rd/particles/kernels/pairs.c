/* Pairs within reach, by cell lists. */
#include "pairs.h"

#include "cells.h"
#include "reach.h"

enum { LANES = 8, WINDOWS = 4 };

static const double lane[LANES] = {0, 1, 2, 3, 4, 5, 6, 7};

typedef struct {
  int32_t begin, end;
} window;

/* The runs of points around one that no periodic image can be near to: two cells along each axis,
   some of them empty, so that their number is known beforehand. Returns 0 near a periodic face. */
static inline __attribute__((always_inline)) int windows(const int dimension,
                                                         const fem_rd_cells *c, const double *here,
                                                         double radius, const int32_t *start,
                                                         window *run) {
  int32_t low[3] = {0, 0, 0}, high[3] = {0, 0, 0};
  int image = 0;
  for (int axis = 0; axis < dimension; axis++) {
    const double scaled = (here[axis] - c->lower[axis]) * c->inverse[axis];
    const double reach = radius * c->inverse[axis], last = c->n[axis] - 1;
    double bottom = scaled - reach, top = scaled + reach;
    image |= c->periodic[axis] & ((bottom < 0) | (top >= c->n[axis]));
    bottom = bottom > 0 ? bottom : 0;
    top = top > 0 ? top : 0;
    low[axis] = (int32_t)(bottom < last ? bottom : last);
    high[axis] = (int32_t)(top < last ? top : last);
    image |= high[axis] - low[axis] > 1;
  }
  if (__builtin_expect(image, 0)) return 0;
  int found = 0;
  for (int k = 0; k < (dimension > 2 ? 2 : 1); k++)
    for (int j = 0; j < (dimension > 1 ? 2 : 1); j++) {
      const int64_t row =
          ((int64_t)(k ? high[2] : low[2]) * c->n[1] + (j ? high[1] : low[1])) * c->n[0];
      const int32_t begin = start[row + low[0]], end = start[row + high[0] + 1];
      const int twice = (k & (high[2] == low[2])) | (j & (high[1] == low[1]));
      run[found++] = (window){begin, twice ? begin : end};
    }
  return found;
}

/* Whether a point of the runs may be within reach: eight distances at a time, without branches
   that depend on how many points a run has. Reads up to seven points too many. */
static inline __attribute__((always_inline)) int meets(const int dimension, const double *here,
                                                       const window *run, const int number,
                                                       const double *x, const double *y,
                                                       const double *z, double square) {
  double least[LANES];
  for (int k = 0; k < LANES; k++) least[k] = INFINITY;
  for (int r = 0; r < number; r++)
    for (int32_t j = run[r].begin, more = 1; more; j += LANES) {
      const double left = run[r].end - j;
      more = run[r].end - j > LANES;
#pragma omp simd
      for (int k = 0; k < LANES; k++) {
        double distance = (x[j + k] - here[0]) * (x[j + k] - here[0]);
        if (dimension > 1) distance += (y[j + k] - here[1]) * (y[j + k] - here[1]);
        if (dimension > 2) distance += (z[j + k] - here[2]) * (z[j + k] - here[2]);
        distance = lane[k] < left ? distance : INFINITY;
        least[k] = distance < least[k] ? distance : least[k];
      }
    }
  int meet = 0;
  for (int k = 0; k < LANES; k++) meet |= least[k] <= square;
  return meet;
}

typedef struct {
  int32_t *first, *second;
  int64_t found, room;
} list;

/* The points begin ... end of b within reach of point i, which is at here. */
static inline __attribute__((always_inline)) void take(const int dimension, const double *here,
                                                       const fem_rd_sorted *b, double square,
                                                       int64_t i, int64_t begin, int64_t end,
                                                       list *pairs) {
  const double *x = b->x, *y = b->x + b->stride, *z = b->x + 2 * b->stride;
  int64_t found = pairs->found;
  for (int64_t j = begin; j < end; j++) {
    double distance = (x[j] - here[0]) * (x[j] - here[0]);
    if (dimension > 1) distance += (y[j] - here[1]) * (y[j] - here[1]);
    if (dimension > 2) distance += (z[j] - here[2]) * (z[j] - here[2]);
    pairs->first[found] = (int32_t)i; /* overwritten by the next unless these two are a pair */
    pairs->second[found] = (int32_t)j;
    found += distance <= square;
  }
  pairs->found = found;
}

/* The same where images may be near. */
static int take_images(const int dimension, const fem_rd_cells *cells, const double *here,
                       const fem_rd_sorted *b, double radius, int64_t i, int same, list *pairs) {
  fem_rd_run runs[FEM_RD_RUNS];
  const int number = fem_rd_reach(cells, dimension, here, radius, runs);
  for (int r = 0; r < number; r++) {
    int64_t begin = b->start[runs[r].begin], end = b->start[runs[r].end];
    if (same && begin <= i) begin = i + 1;
    if (begin >= end) continue;
    if (pairs->found + end - begin > pairs->room) return 0;
    double seen[3];
    for (int axis = 0; axis < dimension; axis++) seen[axis] = here[axis] - runs[r].shift[axis];
    take(dimension, seen, b, radius * radius, i, begin, end, pairs);
  }
  return 1;
}

static inline __attribute__((always_inline)) int64_t search(
    const int dimension, const fem_rd_cells *cells, const fem_rd_sorted *a, const fem_rd_sorted *b,
    double radius, int same, int64_t *from, list *pairs) {
  const fem_rd_cells c = *cells;
  const double *x = b->x, *y = b->x + b->stride, *z = b->x + 2 * b->stride;
  const double square = radius * radius;
  for (int64_t i = *from; i < a->count; i++) {
    const int64_t before = pairs->found;
    double here[3];
    for (int axis = 0; axis < dimension; axis++) here[axis] = a->x[axis * a->stride + i];
    window run[WINDOWS];
    const int number = windows(dimension, &c, here, radius, b->start, run);
    int fits = 1;
    if (!number) fits = take_images(dimension, &c, here, b, radius, i, same, pairs);
    if (same)
      for (int r = 0; r < number; r++) run[r].begin = run[r].begin > i ? run[r].begin : (int32_t)i + 1;
    if (number && !meets(dimension, here, run, number, x, y, z, square)) continue;
    for (int r = 0; r < number && fits; r++) {
      fits = pairs->found + run[r].end - run[r].begin <= pairs->room;
      if (fits) take(dimension, here, b, square, i, run[r].begin, run[r].end, pairs);
    }
    if (!fits) {
      *from = i;
      return before;
    }
  }
  *from = a->count;
  return pairs->found;
}

int64_t fem_rd_pairs_within(const fem_rd_cells *cells, const fem_rd_sorted *a,
                            const fem_rd_sorted *b, double radius, int same, int64_t *from,
                            int32_t *first, int32_t *second, int64_t room) {
  list pairs = {first, second, 0, room};
  switch (cells->dimension) {
    case 1: return search(1, cells, a, b, radius, same, from, &pairs);
    case 2: return search(2, cells, a, b, radius, same, from, &pairs);
    default: return search(3, cells, a, b, radius, same, from, &pairs);
  }
}
