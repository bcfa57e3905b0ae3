/* Pairs within reach, by cell lists.
 *
 * The cells near to a block of points are found first, then the points of these cells are tested,
 * eight at a time. A cell is at least two radii wide, so that a point can have partners in two
 * cells along each axis: 1, 2 or 4 runs of points, one after the other in memory. All are tested,
 * be they empty or the same one twice, since a branch that cannot be foreseen costs more. Who has
 * nobody near is done with that; the others are looked at one by one. */
#include "pairs.h"

#include "cells.h"
#include "reach.h"

enum { BLOCK = 256, LANES = 8 };

static const double lane[LANES] = {0, 1, 2, 3, 4, 5, 6, 7};

/* For each point of a block: the first cell of its first run, how many cells a run has, what leads
   to the other runs (0: that is the same run), and whether images may be near. */
typedef struct {
  int32_t first[BLOCK], width[BLOCK], next[2][BLOCK], image[BLOCK];
} window;

static inline __attribute__((always_inline)) void look_around(const int dimension,
                                                              const fem_rd_cells *cells,
                                                              const double *x, int64_t stride,
                                                              int size, double radius, window *w) {
  int32_t row = 1;
  for (int axis = 0; axis < dimension; axis++) {
    const double *restrict along = x + axis * stride;
    const double lower = cells->lower[axis], inverse = cells->inverse[axis];
    const double reach = radius * inverse, n = cells->n[axis], last = n - 1;
    const int32_t periodic = cells->periodic[axis];
    int32_t *restrict span = axis ? w->next[axis - 1] : w->width;
#pragma omp simd
    for (int k = 0; k < size; k++) {
      const double scaled = (along[k] - lower) * inverse;
      double bottom = scaled - reach, top = scaled + reach;
      const int32_t out = periodic & ((bottom < 0) | (top >= n));
      bottom = bottom > 0 ? bottom : 0;
      top = top > 0 ? top : 0;
      const int32_t low = (int32_t)(bottom < last ? bottom : last);
      const int32_t high = (int32_t)(top < last ? top : last);
      const int32_t image = out | (high - low > 1);
      w->first[k] = axis ? w->first[k] + row * low : low;
      w->image[k] = axis ? w->image[k] | image : image;
      span[k] = axis ? row * (high - low) : high - low + 1;
    }
    row *= cells->n[axis];
  }
}

typedef struct {
  int32_t begin, end;
} run;

/* Whether any point of the runs may be within reach. Reads up to seven points too many. */
static inline __attribute__((always_inline)) int meets(const int dimension, const double *here,
                                                       const run *runs, const double *x,
                                                       const double *y, const double *z,
                                                       double square) {
  double least[LANES];
  for (int k = 0; k < LANES; k++) least[k] = INFINITY;
  for (int r = 0; r < 1 << (dimension - 1); r++)
    for (int32_t j = runs[r].begin, more = 1; more; j += LANES) {
      const double left = runs[r].end - j;
      more = runs[r].end - j > LANES;
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

/* The points begin ... end of b within reach of point i, which is at here; 0 if there is no room. */
static inline __attribute__((always_inline)) int take(const int dimension, const double *here,
                                                      const fem_rd_sorted *b, double square,
                                                      int64_t i, int64_t begin, int64_t end,
                                                      list *pairs) {
  const double *x = b->x, *y = b->x + b->stride, *z = b->x + 2 * b->stride;
  int64_t found = pairs->found;
  if (found + end - begin > pairs->room) return 0;
  for (int64_t j = begin; j < end; j++) {
    double distance = (x[j] - here[0]) * (x[j] - here[0]);
    if (dimension > 1) distance += (y[j] - here[1]) * (y[j] - here[1]);
    if (dimension > 2) distance += (z[j] - here[2]) * (z[j] - here[2]);
    pairs->first[found] = (int32_t)i; /* overwritten by the next unless these two are a pair */
    pairs->second[found] = (int32_t)j;
    found += distance <= square;
  }
  pairs->found = found;
  return 1;
}

/* The same for all points within reach, where images may be near. */
static int take_images(const int dimension, const fem_rd_cells *cells, const double *here,
                       const fem_rd_sorted *b, double radius, int64_t i, int64_t least,
                       list *pairs) {
  fem_rd_run runs[FEM_RD_RUNS];
  const int number = fem_rd_reach(cells, dimension, here, radius, runs);
  int fits = 1;
  for (int r = 0; r < number && fits; r++) {
    int64_t begin = b->start[runs[r].begin], end = b->start[runs[r].end];
    begin = begin > least ? begin : least;
    double seen[3];
    for (int axis = 0; axis < dimension; axis++) seen[axis] = here[axis] - runs[r].shift[axis];
    if (begin < end) fits = take(dimension, seen, b, radius * radius, i, begin, end, pairs);
  }
  return fits;
}

static inline __attribute__((always_inline)) int take_near(const int dimension, const window *w,
                                                           int k, const double *here,
                                                           const fem_rd_sorted *b, double square,
                                                           int64_t i, int64_t least, list *pairs) {
  const int32_t first = w->first[k], width = w->width[k];
  const int32_t y = dimension > 1 ? w->next[0][k] : 0, z = dimension > 2 ? w->next[1][k] : 0;
  const int32_t cell[4] = {first, first + y, first + z, first + y + z};
  run runs[4];
  for (int r = 0; r < 1 << (dimension - 1); r++) {
    runs[r].begin = b->start[cell[r]];
    runs[r].end = b->start[cell[r] + width];
    runs[r].begin = runs[r].begin > least ? runs[r].begin : (int32_t)least;
  }
  if (!meets(dimension, here, runs, b->x, b->x + b->stride, b->x + 2 * b->stride, square)) return 1;
  int fits = 1;
  for (int r = 0; r < 1 << (dimension - 1) && fits; r++)
    if (!(r & 1 && !y) && !(r & 2 && !z) && runs[r].begin < runs[r].end)
      fits = take(dimension, here, b, square, i, runs[r].begin, runs[r].end, pairs);
  return fits;
}

static inline __attribute__((always_inline)) int64_t search(
    const int dimension, const fem_rd_cells *cells, const fem_rd_sorted *a, const fem_rd_sorted *b,
    double radius, int same, int64_t *from, list *pairs) {
  window w;
  for (int64_t start = *from; start < a->count; start += BLOCK) {
    const int size = a->count - start < BLOCK ? (int)(a->count - start) : BLOCK;
    look_around(dimension, cells, a->x + start, a->stride, size, radius, &w);
    for (int k = 0; k < size; k++) {
      const int64_t i = start + k, before = pairs->found, least = same ? i + 1 : 0;
      double here[3];
      for (int axis = 0; axis < dimension; axis++) here[axis] = a->x[axis * a->stride + i];
      const int fits =
          __builtin_expect(w.image[k], 0)
              ? take_images(dimension, cells, here, b, radius, i, least, pairs)
              : take_near(dimension, &w, k, here, b, radius * radius, i, least, pairs);
      if (fits) continue;
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
