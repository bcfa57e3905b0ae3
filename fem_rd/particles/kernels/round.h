#pragma once
#include <stdint.h>
/* A ball (inner = 0) or a shell about a centre, in 2 or 3 dimensions; kinds and rates of walls.py. */
typedef struct {
  double centre[3], inner, outer;
  int32_t inner_kind, outer_kind;
  double inner_rate, outer_rate;
} fem_rd_shell;
/* As fem_rd_move_box; walls are 0 (inner) and 1 (outer). */
int64_t fem_rd_move_shell(int dimension, int64_t count, int64_t stride, double *x,
                          const uint64_t *ids, uint64_t key, uint64_t step, double spread,
                          const double *shift, int64_t shift_stride, int64_t shift_each,
                          const fem_rd_shell *shell, int64_t *who, int32_t *wall);
