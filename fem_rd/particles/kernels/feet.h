#pragma once
#include <stdint.h>
#define FEM_RD_FEET_MOST 48 /* facets of a bin; where there are more, it is crowded */
/* Facets in 1 to 3 dimensions, and bins of space that know which of them can be nearest.
 *
 * ``corners`` (facets, dimension, dimension). ``frames``, dimension (dimension + 2) numbers each: the
 * first corner; the unit normal and the gradients of the weights of corners 1, 2; the distance of each
 * corner from the opposite side. ``bins`` and ``members``: kernels/feet.c. */
typedef struct {
  int32_t dimension;
  int64_t shape[3];
  double lower[3], inverse;
  const double *corners, *frames;
  const int32_t *bins, *members;
} fem_rd_surface;
/* The nearest facet of points x[axis * stride + i], the weights (count, dimension) of its corners at
 * the nearest point, and the square of the distance. Where that is not known, facet[i] is negative:
 * -1 where no bin has it, -3 - b for the bin b that nobody asked about. Returns how many these are. */
int64_t fem_rd_feet(const fem_rd_surface *surface, int64_t count, int64_t stride, const double *x,
                    int64_t *facet, double *weights, double *square);
/* The sum of the weights with nodal[nodes[facet, corner]]. Returns how many points are ``missed``
 * because their facet is not known, and which. */
int64_t fem_rd_feet_values(const fem_rd_surface *surface, int64_t count, int64_t stride,
                           const double *x, const int64_t *nodes, const double *nodal,
                           double *values, int64_t *missed);
/* Adds ``amount`` times the weights to nodal[nodes[facet, corner]]; ``missed`` likewise. */
int64_t fem_rd_feet_deposit(const fem_rd_surface *surface, int64_t count, int64_t stride,
                            const double *x, const int64_t *nodes, double amount, double *nodal,
                            int64_t *missed);
/* Takes the nearest of ``width`` candidates of each of the points (.., dimension) that are asked
 * about. ``least``: what their distances exceed, rising along each row. ``facet``, ``weights`` and
 * ``square`` of the distance are those of all points. */
void fem_rd_feet_nearest(int dimension, const double *corners, const double *points, int64_t asked,
                         const int64_t *which, int64_t width, const int64_t *candidates,
                         const double *least, int64_t *facet, double *weights, double *square);
/* How many of the counts[b] facets of each bin can be nearest, 0 where these are too many. They become
 * the list of the bin, from the first place of its ``members`` on. No nearest facet is farther from the
 * middle than its limit. */
void fem_rd_feet_sift(const fem_rd_surface *surface, int64_t bins, const double *middles,
                      const double *limits, const int64_t *counts, int64_t *members,
                      int64_t *kept);
