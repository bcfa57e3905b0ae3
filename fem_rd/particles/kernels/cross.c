/* Particles that come in through an open wall in closed form: when, where and how deep. */
#include "cross.h"

#include "random.h"

enum { PLACE = 1 }; /* draw 0 is for times, depths and chances */

#define WORDS 0x1p-32

/* A block of particles of one group, from the number ``begin`` on. */
typedef struct {
  double gaps[FEM_RD_BLOCK], depths[FEM_RD_BLOCK], chances[FEM_RD_BLOCK];
  double first[FEM_RD_BLOCK], second[FEM_RD_BLOCK], third[FEM_RD_BLOCK];
} block;

FEM_RD_INLINE double share(uint32_t word) { return ((double)(int64_t)word + 0.5) * WORDS; }

/* Intervals of a Poisson process of rate 1, depths U1 sqrt(-ln U2), numbers to accept by. */
static void draw_depths(block *b, uint64_t key, uint64_t step, uint64_t begin, uint32_t purpose) {
#pragma omp simd
  for (int i = 0; i < FEM_RD_BLOCK; i++) {
    const fem_rd_words w = fem_rd_philox(key, step, begin + (uint64_t)i, purpose, 0);
    const double gap = fem_rd_radius(w.w[0]), size = fem_rd_radius(w.w[2]);
    b->gaps[i] = 0.5 * gap * gap;
    b->depths[i] = share(w.w[1]) * M_SQRT1_2 * size;
    b->chances[i] = share(w.w[3]);
  }
}

/* Three uniform numbers each. */
static void draw_places(block *b, uint64_t key, uint64_t step, uint64_t begin, uint32_t purpose) {
#pragma omp simd
  for (int i = 0; i < FEM_RD_BLOCK; i++) {
    const fem_rd_words w = fem_rd_philox(key, step, begin + (uint64_t)i, purpose, PLACE);
    b->first[i] = share(w.w[0]), b->second[i] = share(w.w[1]), b->third[i] = share(w.w[2]);
  }
}

/* Directions, evenly in the circle or the sphere: ``first`` to ``third`` become unit vectors. */
FEM_RD_INLINE void turn(block *b, int dimension) {
#pragma omp simd
  for (int i = 0; i < FEM_RD_BLOCK; i++) {
    float c, s;
    fem_rd_turn((uint32_t)(int64_t)(b->second[i] * 0x1p32), &c, &s);
    const double z = dimension == 3 ? 2.0 * b->first[i] - 1.0 : 0.0, x = c, y = s;
    const double across = sqrt((1.0 - z * z) / (x * x + y * y));
    b->first[i] = across * x, b->second[i] = across * y, b->third[i] = z;
  }
}

/* From the depths of a plane to those of the door, by cubics. */
static void bend(const fem_rd_door *door, block *b, int count) {
  const double inverse = 1.0 / door->width;
  const int64_t last = door->pieces - 1;
  for (int i = 0; i < count; i++) {
    const double at = b->depths[i] * inverse;
    const int64_t piece = at < (double)last ? (int64_t)at : last;
    const double t = b->depths[i] - (double)piece * door->width, *c = door->cubics + 4 * piece;
    b->depths[i] = ((c[0] * t + c[1]) * t + c[2]) * t + c[3];
  }
}

FEM_RD_INLINE void on_sphere(const fem_rd_door *door, block *b, int dimension, int count,
                             int64_t stride, double *points, double *feet) {
  const double radius = fabs(door->radius), inward = door->radius > 0.0 ? -1.0 : 1.0;
  turn(b, dimension);
  for (int a = 0; a < dimension; a++) {
    const double *along = a == 0 ? b->first : a == 1 ? b->second : b->third;
    const double centre = door->centre[a];
#pragma omp simd
    for (int i = 0; i < count; i++) {
      const double depth = door->spread * b->depths[i];
      feet[a * stride + i] = centre + radius * along[i];
      points[a * stride + i] = centre + (radius + inward * depth) * along[i];
    }
  }
}

FEM_RD_INLINE void on_facets(const fem_rd_door *door, block *b, int dimension, int count,
                             int64_t stride, double *points, double *feet, int32_t *facets) {
  const int64_t last = door->facets - 1;
  for (int i = 0; i < count; i++) {
    const double chance = b->first[i] * door->ends[last];
    int64_t facet = door->first[(int64_t)(b->first[i] * (double)door->facets)];
    while (facet < last && door->ends[facet] <= chance) facet++;
    const double *corner = door->corners + facet * dimension * dimension;
    double u = b->second[i], v = b->third[i];
    if (dimension == 3 && u + v > 1.0) u = 1.0 - u, v = 1.0 - v;
    for (int a = 0; a < dimension; a++) {
      double foot = corner[a];
      if (dimension > 1) foot += u * corner[dimension + a];
      if (dimension > 2) foot += v * corner[2 * dimension + a];
      feet[a * stride + i] = foot;
      points[a * stride + i] = foot + door->spread * b->depths[i] * door->normal[a];
    }
    facets[i] = (int32_t)facet;
  }
}

static void place(const fem_rd_door *door, block *b, int count, int64_t stride, double *points,
                  double *feet, int32_t *facets) {
  if (door->facets) {
    switch (door->dimension) {
      case 1: on_facets(door, b, 1, count, stride, points, feet, facets); break;
      case 2: on_facets(door, b, 2, count, stride, points, feet, facets); break;
      default: on_facets(door, b, 3, count, stride, points, feet, facets);
    }
    return;
  }
  if (door->dimension == 2) on_sphere(door, b, 2, count, stride, points, feet);
  else on_sphere(door, b, 3, count, stride, points, feet);
  memset(facets, 0, (size_t)count * sizeof *facets);
}

int64_t fem_rd_cross(const fem_rd_door *door, int64_t groups, const uint64_t *keys, uint64_t step,
                     int purpose, double mean, int64_t steps, int64_t most, int64_t stride,
                     double *points, double *feet, double *depths, double *chances, int32_t *facets,
                     int64_t *ends) {
  int64_t total = 0;
  const double rest = mean > 0.0 ? 1.0 / mean : 0.0;
  for (int64_t group = 0; group < groups; group++, ends += steps) {
    double time = 0.0;
    int64_t now = 0, number = mean > 0.0 ? 0 : most;
    while (now < steps && number < most) {
      block b;
      draw_depths(&b, keys[group], step, (uint64_t)number, (uint32_t)purpose);
      int count = 0;
      for (; count < FEM_RD_BLOCK && number + count < most; count++) {
        time += rest * b.gaps[count];
        while (now < steps && time >= (double)(now + 1)) ends[now++] = total + count;
        if (now == steps) break;
      }
      if (count) {
        draw_places(&b, keys[group], step, (uint64_t)number, (uint32_t)purpose);
        if (door->pieces) bend(door, &b, count);
        place(door, &b, count, stride, points + total, feet + total, facets + total);
        memcpy(depths + total, b.depths, (size_t)count * sizeof *depths);
        memcpy(chances + total, b.chances, (size_t)count * sizeof *chances);
      }
      total += count, number += count;
    }
    if (now < steps && mean > 0.0 && isfinite(mean)) return -1;
    while (now < steps) ends[now++] = total;
  }
  return total;
}
