#pragma once
#include "shapes.h"
/* As fem_rd_move_box; walls are 0 (inner) and 1 (outer). */
int64_t fem_rd_move_shell(int dimension, int64_t count, int64_t stride, double *x,
                          const uint64_t *ids, uint64_t key, uint64_t step, double spread,
                          const double *shift, int64_t shift_stride, int64_t shift_each,
                          const fem_rd_shell *shell, int64_t *who, int32_t *wall);
