#pragma once
#include "shapes.h"
/* Straight flight for ``half``, velocities v -> decay v + noise normal, straight flight again.
   Walls reflect (the velocity is mirrored), absorb or are periodic; the lines are followed exactly.
   Rows of x and v are ``stride`` apart; who left as in fem_rd_move_box and fem_rd_move_shell. */
int64_t fem_rd_fly_box(int dimension, int64_t count, int64_t stride, double *x, double *v,
                       const uint64_t *ids, uint64_t key, uint64_t step, double half, double decay,
                       double noise, const fem_rd_axis *axes, int64_t *who, int32_t *wall);
int64_t fem_rd_fly_shell(int dimension, int64_t count, int64_t stride, double *x, double *v,
                         const uint64_t *ids, uint64_t key, uint64_t step, double half,
                         double decay, double noise, const fem_rd_shell *shell, int64_t *who,
                         int32_t *wall);
