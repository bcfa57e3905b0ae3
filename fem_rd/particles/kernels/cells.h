#pragma once
#include <stdint.h>
/* A box cut into cells, x fastest. Axes beyond the dimension have one cell. */
typedef struct {
  int32_t dimension;
  int32_t n[3];
  int32_t periodic[3];
  double lower[3];
  double length[3];
  double inverse[3]; /* cells per length */
} fem_rd_cells;
/* cell[i] of points x[axis * stride + i]; what lies outside belongs to the nearest cell. */
void fem_rd_cells_of(const fem_rd_cells *cells, const double *x, int64_t stride, int64_t count,
                     int32_t *cell);
/* start[c] ... start[c + 1]: the places of the points of cell c when they are sorted.
   cell[i] becomes the place of point i; points of one cell keep their order. */
void fem_rd_cells_places(int32_t *cell, int64_t count, int32_t *start, int64_t cells);
/* to[place[i]] = from[i], for items of 8 and of 4 bytes. */
void fem_rd_cells_move_8(const int32_t *place, int64_t count, const void *from, void *to);
void fem_rd_cells_move_4(const int32_t *place, int64_t count, const void *from, void *to);
