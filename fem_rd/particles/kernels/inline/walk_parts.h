/* What the sources of the walk share; whoever includes this has read walk.h. */
#ifndef FEM_RD_WALK_PARTS_H
#define FEM_RD_WALK_PARTS_H
#include "random.h"

/* The cell that x is in, or -1. */
int32_t fem_rd_cell_of(const fem_rd_mesh *mesh, const fem_rd_bins *bins, const double *x);

enum { FEM_RD_MOST_GROUPS = 4 }; /* walls, or sides of one, that are asked: the nearest */

/* What one particle did in a step, for the walls that it came close to. */
typedef struct {
  uint64_t key, step, id;
  double tau;                        /* D dt */
  double begin[3], end[3], free[3];  /* ``end`` after all reflections, ``free`` without any */
  int32_t straight;                  /* whether it met no wall */
  double reach;                      /* walls farther from the beginning are not asked */
  double limit;                      /* product of the distances of both ends from which on none
                                        takes it, if straight */
  int32_t cell, last;                /* of beginning and end */
  int32_t decided;                   /* the wall that has had its say, or -1 */
  int32_t crossed;                   /* the wall crossed near its rim, or -1 */
} fem_rd_passage;

/* The facet that took the particle although it did not cross it, and where (``at``); or -1. */
int32_t fem_rd_near_walls(const fem_rd_mesh_walls *walls, int dimension,
                          const fem_rd_passage *passage, double *at);

FEM_RD_INLINE double fem_rd_wall_draw(uint64_t key, uint64_t step, uint64_t id, uint32_t draw) {
  const fem_rd_words w = fem_rd_philox(key, step, id, FEM_RD_WALL, draw & 255u);
  return fem_rd_uniform(w.w[0], w.w[1]);
}
#endif
