#pragma once
#include <stdint.h>
/* An open plane or sphere, and the law of the depths at which particles come in.
 *
 * Planes are facets, each a corner and its edges (facets, dimension, dimension), with the ends of
 * their areas in the sum of all, and for each of as many equal parts of it the first facet that may
 * be drawn. Spheres have no facets; ``radius`` < 0 where the particles are outside.
 * ``pieces`` cubics, four numbers each, make depths over ``spread`` from those of the plane's law, of
 * which each covers ``width``; none for a plane. */
typedef struct {
  int32_t dimension;
  int64_t facets, pieces;
  double centre[3], radius, normal[3];
  const double *corners, *ends, *cubics;
  const int64_t *first;
  double spread, width;
} fem_rd_door;
/* Who comes in: ``groups`` with a key each, in ``steps`` steps, each in the order of the steps.
 *
 * They come at the times of a Poisson process of ``mean`` in a step, or all at once where that is
 * infinite, and no more than ``most`` in a group. ends[group * steps + step] is one past the last of
 * a step. Rows of ``stride``: points, and feet below them. Each by itself: the depth over spread, a
 * uniform number and the facet, 0 on spheres. Returns their number, or -1 where ``most`` was too few
 * for a process. */
int64_t fem_rd_cross(const fem_rd_door *door, int64_t groups, const uint64_t *keys, uint64_t step,
                     int purpose, double mean, int64_t steps, int64_t most, int64_t stride,
                     double *points, double *feet, double *depths, double *chances, int32_t *facets,
                     int64_t *ends);
