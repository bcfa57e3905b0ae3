#pragma once
#include "shapes.h"
/* One step x += drift dt + spread normal in a box, spread = sqrt(2 D dt), then what its faces do.
   ``shift`` is drift dt: NULL, or entry axis a of particle i at a shift_stride + i shift_each.
   Who left is written to ``who`` (places, ascending) and ``wall`` (2 axis + side); their number is
   returned and their positions are on the wall. */
int64_t fem_rd_move_box(int dimension, int64_t count, int64_t stride, double *x,
                        const uint64_t *ids, uint64_t key, uint64_t step, double spread,
                        const double *shift, int64_t shift_stride, int64_t shift_each,
                        const fem_rd_axis *axes, int64_t *who, int32_t *wall);
