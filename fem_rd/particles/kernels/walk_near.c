/* Walls that a step came close to without crossing them: Brownian bridges against facets.
 *
 * The distance from a wall is that from its nearest facet; facets of one wall whose planes make
 * less than 60 degrees count as one, others are asked in turn. Where an absorbing wall ends in the
 * plane of a reflecting one, the bridge against a half plane is Sommerfeld's. */
#include "walk.h"

#include "wall.h"
#include "walk_parts.h"

/* Where the bridge from x to y touches less often than exp(-14), it is not asked. */
#define NEGLIGIBLE 14.0

enum { MOST_GROUPS = 4 }; /* walls, or sides of one, that are asked: the nearest */

FEM_RD_INLINE double dot(int dimension, const double *a, const double *b) {
  double sum = 0.0;
  for (int i = 0; i < dimension; i++) sum += a[i] * b[i];
  return sum;
}

static double clamped(double t) { return t > 0.0 ? (t < 1.0 ? t : 1.0) : 0.0; }

/* The point of the segment from a to b closest to x; its distance squared. */
static double on_segment(int dimension, const double *a, const double *b, const double *x,
                         double *point) {
  double edge[3], to[3], distance = 0.0;
  for (int i = 0; i < dimension; i++) edge[i] = b[i] - a[i], to[i] = x[i] - a[i];
  const double t = clamped(dot(dimension, edge, to) / dot(dimension, edge, edge));
  for (int i = 0; i < dimension; i++) {
    point[i] = a[i] + t * edge[i];
    distance += (x[i] - point[i]) * (x[i] - point[i]);
  }
  return distance;
}

/* The same of a triangle: where x is above it, straight below; otherwise on an edge. */
static double on_triangle(const double *c, const double *x, double *point) {
  double e[3], f[3], to[3];
  for (int i = 0; i < 3; i++) e[i] = c[3 + i] - c[i], f[i] = c[6 + i] - c[i], to[i] = x[i] - c[i];
  const double ee = dot(3, e, e), ef = dot(3, e, f), ff = dot(3, f, f);
  const double et = dot(3, e, to), ft = dot(3, f, to), det = ee * ff - ef * ef;
  const double u = (ff * et - ef * ft) / det, v = (ee * ft - ef * et) / det;
  if (u >= 0.0 && v >= 0.0 && u + v <= 1.0) {
    double distance = 0.0;
    for (int i = 0; i < 3; i++) {
      point[i] = c[i] + u * e[i] + v * f[i];
      distance += (x[i] - point[i]) * (x[i] - point[i]);
    }
    return distance;
  }
  double best = INFINITY;
  for (int k = 0; k < 3; k++) {
    double other[3];
    const double distance = on_segment(3, c + 3 * k, c + 3 * ((k + 1) % 3), x, other);
    if (distance >= best) continue;
    best = distance;
    for (int i = 0; i < 3; i++) point[i] = other[i];
  }
  return best;
}

FEM_RD_INLINE double on_facet(int dimension, const double *corners, const double *x,
                              double *point) {
  if (dimension == 3) return on_triangle(corners, x, point);
  if (dimension == 2) return on_segment(2, corners, corners + 2, x, point);
  point[0] = corners[0];
  return (x[0] - point[0]) * (x[0] - point[0]);
}

FEM_RD_INLINE const double *corners_of(const fem_rd_mesh_walls *w, int dimension,
                                       int32_t facet) {
  return w->corners + (int64_t)facet * dimension * dimension;
}

FEM_RD_INLINE const double *plane_of(const fem_rd_mesh_walls *w, int dimension, int32_t facet) {
  return w->planes + (int64_t)facet * (dimension + 1);
}

/* The facets that the beginning is in front of and within reach of. */
FEM_RD_INLINE int candidates(const fem_rd_mesh_walls *w, int dimension, const fem_rd_passage *p,
                      fem_rd_candidate *room) {
  int n = 0;
  for (int32_t k = w->start[p->cell]; k < w->start[p->cell + 1]; k++) {
    const int32_t facet = w->near[k];
    const double *plane = plane_of(w, dimension, facet);
    const double height = dot(dimension, plane, p->begin) - plane[dimension];
    if (height > w->reach || height < -1e-6 * w->reach || w->wall[facet] == p->decided) continue;
    fem_rd_candidate *c = room + n;
    const double after = dot(dimension, plane, p->end) - plane[dimension];
    if (height * after > NEGLIGIBLE * p->tau) continue; /* no distance is less than these */
    const double *corners = corners_of(w, dimension, facet);
    c->before = on_facet(dimension, corners, p->begin, c->from);
    if (c->before > w->reach * w->reach) continue;
    c->after = on_facet(dimension, corners, p->end, c->to);
    if (c->before * c->after > NEGLIGIBLE * NEGLIGIBLE * p->tau * p->tau) continue;
    c->facet = facet, c->group = -1, n++;
  }
  return n;
}

/* Whether no draw lets a wall take the particle, for whatever group it is asked: a path that met no
 * wall touches none with more than 2 exp(-x y/tau), x and y the heights above its facets. */
FEM_RD_INLINE int out_of_reach(const fem_rd_mesh_walls *w, int dimension, const fem_rd_passage *p) {
  double least = 1.0, product = INFINITY;
  for (uint32_t group = 0; group < MOST_GROUPS; group++)
    least = fmin(least, fem_rd_wall_draw(p->key, p->step, p->id, group));
  for (int32_t k = w->start[p->cell]; k < w->start[p->cell + 1]; k++) {
    const double *plane = plane_of(w, dimension, w->near[k]);
    const double height = dot(dimension, plane, p->begin) - plane[dimension];
    if (height < -1e-6 * w->reach) continue; /* behind it */
    const double both = height * (dot(dimension, plane, p->end) - plane[dimension]);
    product = both < product ? both : product;
  }
  return product > p->tau * log(2.0 / least);
}

/* How far x is inside of the edge opposite to corner k, in the plane of its facet. */
static double from_edge(int dimension, const double *corners, int k, const double *x) {
  const double *a = corners + dimension * ((k + 1) % dimension), *tip = corners + dimension * k;
  double inwards[3], to[3];
  for (int i = 0; i < dimension; i++) inwards[i] = tip[i] - a[i], to[i] = x[i] - a[i];
  if (dimension == 3) {
    const double *b = corners + 3 * ((k + 2) % 3);
    double edge[3];
    for (int i = 0; i < 3; i++) edge[i] = b[i] - a[i];
    const double along = dot(3, inwards, edge) / dot(3, edge, edge);
    for (int i = 0; i < 3; i++) inwards[i] -= along * edge[i];
  }
  return dot(dimension, inwards, to) / sqrt(dot(dimension, inwards, inwards));
}

/* The rim of the facet closest to the path, as distances of both ends inside of it. */
static int nearest_rim(const fem_rd_mesh_walls *w, int dimension, const fem_rd_passage *p,
                       int32_t facet, double *before, double *after) {
  const double *corners = corners_of(w, dimension, facet);
  int found = 0;
  for (int k = 0; k < dimension; k++) {
    if (!w->rim[dimension * facet + k]) continue;
    const double a = from_edge(dimension, corners, k, p->begin);
    const double b = from_edge(dimension, corners, k, p->end);
    if (!found || a + b < *before + *after) *before = a, *after = b;
    found = 1;
  }
  return found;
}

/* The probability that the bridge touches the half plane that ends at the rim, if its plane
 * reflects beyond: from the kernel of a plane cut along a half line (Sommerfeld; Carslaw 1899),
 *   K = [e^(-R1^2/4 tau) (1 + erf m1) - e^(-R2^2/4 tau) (1 + erf m2)] / (8 pi tau),
 *   m1, m2 = sqrt(r r'/tau) cos((theta -+ theta')/2), R2 to the mirror image of the end. */
static double touched_half(double s, double l, double s_end, double l_end, int mirrored,
                           double tau) {
  const double radii = sqrt((s * s + l * l) * (s_end * s_end + l_end * l_end));
  const double m1 = sqrt(fmax(radii + l * l_end + s * s_end, 0.0) / (2.0 * tau));
  const double size = sqrt(fmax(radii + l * l_end - s * s_end, 0.0) / (2.0 * tau));
  const double m2 = s * l_end + s_end * l > 0.0 ? size : -size;
  const double image = exp(-s * s_end / tau);
  if (!mirrored) return 0.5 * erfc(m1) + 0.5 * image * erfc(-m2);
  return 0.5 * erfc(-m2) + (image > 1e-280 ? 0.5 * erfc(m1) / image : 0.0);
}

/* The probability that the facets of one group took the particle. */
static double taken_by(const fem_rd_mesh_walls *w, int dimension, const fem_rd_passage *p,
                       const fem_rd_candidate *from, const fem_rd_candidate *to) {
  const int32_t wall = w->wall[from->facet], kind = w->kind[wall];
  double before = 0.0, after = 0.0;
  int32_t facet = from->facet;
  int rim = kind == FEM_RD_ABSORBING && nearest_rim(w, dimension, p, facet, &before, &after);
  if (!rim && kind == FEM_RD_ABSORBING) {
    facet = to->facet;
    rim = nearest_rim(w, dimension, p, facet, &before, &after);
  }
  if (rim) {
    const double *plane = plane_of(w, dimension, facet);
    const double s = fmax(dot(dimension, plane, p->begin) - plane[dimension], 0.0);
    const double s_end = fmax(dot(dimension, plane, p->end) - plane[dimension], 0.0);
    const int mirrored = dot(dimension, plane, p->free) < plane[dimension];
    return touched_half(s, before, s_end, after, mirrored, p->tau);
  }
  if (p->crossed == wall) return 1.0;
  return fem_rd_taken(kind, w->rate[wall], 0.0, sqrt(from->before), sqrt(to->after), p->tau);
}

/* Where the group was touched: between its points closest to beginning and end, on a facet. */
static int32_t touched_at(const fem_rd_mesh_walls *w, int dimension, int n, int group,
                          const fem_rd_candidate *room, const fem_rd_candidate *from,
                          const fem_rd_candidate *to, double *at) {
  const double before = sqrt(from->before), after = sqrt(to->after), both = before + after;
  const double part = both > 0.0 ? before / both : 0.0;
  double middle[3], best = INFINITY;
  int32_t facet = from->facet;
  for (int a = 0; a < dimension; a++)
    middle[a] = from->from[a] + part * (to->to[a] - from->from[a]);
  for (int k = 0; k < n; k++) {
    double point[3];
    if (room[k].group != group) continue;
    const double distance =
        on_facet(dimension, corners_of(w, dimension, room[k].facet), middle, point);
    if (distance >= best) continue;
    best = distance, facet = room[k].facet;
    for (int a = 0; a < dimension; a++) at[a] = point[a];
  }
  return facet;
}

FEM_RD_INLINE int32_t near_walls(const fem_rd_mesh_walls *w, int dimension, const fem_rd_passage *p,
                                 fem_rd_candidate *room, double *at) {
  if (p->straight && out_of_reach(w, dimension, p)) return -1;
  const int n = candidates(w, dimension, p, room);
  for (int group = 0; group < MOST_GROUPS; group++) {
    const fem_rd_candidate *from = NULL, *to = NULL;
    for (int k = 0; k < n; k++)
      if (room[k].group < 0 && (!from || room[k].before < from->before)) from = room + k;
    if (!from) break;
    const double *lead = plane_of(w, dimension, from->facet);
    for (int k = 0; k < n; k++) {
      fem_rd_candidate *c = room + k;
      if (c->group >= 0 || w->wall[c->facet] != w->wall[from->facet]) continue;
      if (dot(dimension, lead, plane_of(w, dimension, c->facet)) < 0.5) continue;
      c->group = group;
      if (!to || c->after < to->after) to = c;
    }
    const double u = fem_rd_wall_draw(p->key, p->step, p->id, (uint32_t)group);
    if (u < taken_by(w, dimension, p, from, to))
      return touched_at(w, dimension, n, group, room, from, to, at);
  }
  return -1;
}

int32_t fem_rd_near_walls(const fem_rd_mesh_walls *w, int dimension, const fem_rd_passage *p,
                          fem_rd_candidate *room, double *at) {
  switch (dimension) {
    case 1: return near_walls(w, 1, p, room, at);
    case 2: return near_walls(w, 2, p, room, at);
    default: return near_walls(w, 3, p, room, at);
  }
}
