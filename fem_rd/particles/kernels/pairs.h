#pragma once
#include <stdint.h>

#include "cells.h"
/* Points sorted by cell: x[axis * stride + i], i < count, and where each cell starts. */
typedef struct {
  const double *x;
  int64_t stride;
  int64_t count;
  const int32_t *start;
} fem_rd_sorted;
/* The pairs (first[m], second[m]) of a point of a and a point of b not farther apart than radius.
   With same != 0, a is b and each pair of two of its points is found once. Points of a from *from
   on are searched until the next might not fit into room pairs; *from becomes that point.
   Returns the number of pairs found. */
int64_t fem_rd_pairs_within(const fem_rd_cells *cells, const fem_rd_sorted *a,
                            const fem_rd_sorted *b, double radius, int same, int64_t *from,
                            int32_t *first, int32_t *second, int64_t room);
