#pragma once
#include <stdint.h>
/* Simplices. Of each cell the planes of its facets: dimension rows of components of the normals
   into the cell, then a row of offsets, each row four long (facets that a cell does not have:
   normal 0, offset -1). next[8 cell + facet]: the cell across, or -1 - f for facet f of the boundary;
   the last four entries of a cell are the cell itself. */
typedef struct {
  int32_t dimension, cells;
  const double *planes; /* aligned to 64 bytes */
  const int32_t *next;
  double tolerance; /* how far a point may be outside of its cell */
} fem_rd_mesh;
/* Bins of equal size, x fastest: cells[start[b]] ... of the cells that may reach into bin b. */
typedef struct {
  int32_t n[3];
  double lower[3], inverse[3]; /* bins per length */
  const int32_t *start, *cells;
} fem_rd_bins;
/* Boxes as bins: free[b], a lower bound of the distance of box b from the boundary, 0 where it may be
   on both sides of it or is outside; felt[b] the same of the facets that take particles from afar,
   NULL where there are none. */
typedef struct {
  int32_t n[3];
  double lower[3], inverse[3];
  double unit; /* of these distances */
  const uint8_t *free, *felt;
} fem_rd_room;
/* The facets of the boundary: normal inwards and offset, dimension + 1 numbers each; dimension
   corners of dimension coordinates; bend, its mean curvature, > 0 where the region is around it,
   as far as a step sees it; balls that they are in, centre and radius, four numbers each.
   rim[dimension facet + k] != 0: across its edge opposite to
   corner k the wall goes on in the same plane as one that reflects. kind and rate: by wall. The
   facets that take particles near cell c are near[start[c]] ... near[start[c + 1] - 1], at least
   ``gap`` away from all of it, in ascending order; start is NULL where there are none. */
typedef struct {
  const double *planes, *corners, *bend, *balls;
  const int32_t *wall, *cell; /* of each facet */
  const uint8_t *rim;
  const int32_t *kind;
  const double *rate;
  const int32_t *start, *near;
  const float *gap;
  int32_t takes; /* whether any wall takes particles */
  double reach; /* in front of a facet, beyond which it does not matter */
} fem_rd_mesh_walls;
/* cell[i] becomes the cell that point i is in, -1 where it is outside; it stays where it is right.
   x[axis * stride + i]. */
void fem_rd_locate(const fem_rd_mesh *mesh, const fem_rd_bins *bins, const double *x,
                   int64_t stride, int64_t count, int32_t *cell);
/* One step x += shift + spread normal from cell to cell; the arguments are those of
   fem_rd_move_box. cell[i] becomes the cell where the particle is, or -1 where it is not known, as
   for those who are so far from all walls that they need not walk; a wrong one is looked up.
   Where ``v`` is not NULL, reflections mirror these velocities, laid out as x.
   Who left is written to ``who`` and ``facet``; their number is returned. ``lost``: how many could
   not be placed, and stay where they were; lost_first: the first of them. -1: out of memory. */
int64_t fem_rd_walk(const fem_rd_mesh *mesh, const fem_rd_bins *bins,
                    const fem_rd_mesh_walls *walls, const fem_rd_room *room, int64_t count,
                    int64_t stride, double *x, double *v, int32_t *cell, const uint64_t *ids,
                    uint64_t key, uint64_t step, double spread, const double *shift,
                    int64_t shift_stride, int64_t shift_each, int64_t *who, int32_t *facet,
                    int64_t *lost, int64_t *lost_first);
/* The distance of point i, points[dimension i + axis], from facet[i], by corners as above. */
void fem_rd_facet_distances(int32_t dimension, int64_t count, const double *points,
                            const double *corners, const int64_t *facet, double *distance);
