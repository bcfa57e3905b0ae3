#pragma once
#include <stdint.h>
/* What a pair of faces does: kinds and rates of walls.py. */
typedef struct {
  double lower, upper;
  int32_t lower_kind, upper_kind;
  double lower_rate, upper_rate;
} fem_rd_axis;
/* A ball (inner = 0) or a shell about a centre, in 2 or 3 dimensions; kinds and rates of walls.py. */
typedef struct {
  double centre[3], inner, outer;
  int32_t inner_kind, outer_kind;
  double inner_rate, outer_rate;
} fem_rd_shell;
