/* Walls that a step came close to without crossing them: Brownian bridges against facets.
 *
 * The distance from a wall is that from its nearest facet; facets of one wall whose planes make
 * less than 60 degrees count as one, others are asked in turn. Where an absorbing wall ends in the
 * plane of a reflecting one, the bridge against a half plane is Sommerfeld's. */
#include "walk.h"

#include "wall.h"
#include "walk_parts.h"

/* The facet nearest to a point, its point there, and their distance squared. */
typedef struct {
  int32_t facet;
  double point[3], square;
} nearest;

/* Facets that count as one wall: those of ``wall`` less than 60 degrees from ``plane`` that are in
 * no group before. */
typedef struct {
  int32_t wall;
  const double *plane;
} group;

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

FEM_RD_INLINE double above(const fem_rd_mesh_walls *w, int dimension, int32_t facet,
                           const double *x) {
  const double *plane = plane_of(w, dimension, facet);
  return dot(dimension, plane, x) - plane[dimension];
}

/* Which of the groups the facet is in; ``n`` where in none. */
FEM_RD_INLINE int group_of(const fem_rd_mesh_walls *w, int dimension, const group *groups, int n,
                           int32_t facet) {
  int k = 0;
  while (k < n && !(w->wall[facet] == groups[k].wall &&
                    dot(dimension, groups[k].plane, plane_of(w, dimension, facet)) >= 0.5))
    k++;
  return k;
}

/* Whether the ball that the facet is in is farther from x than that. */
FEM_RD_INLINE int beyond(const fem_rd_mesh_walls *w, int dimension, int32_t facet, const double *x,
                         double distance) {
  const double *ball = w->balls + 4 * (int64_t)facet, limit = distance + ball[3];
  double apart = 0.0;
  for (int a = 0; a < dimension; a++) apart += (x[a] - ball[a]) * (x[a] - ball[a]);
  return apart > limit * limit;
}

/* The nearest to x, a point of the cell, of the facets in group ``wanted`` (``n``: in none) that x
 * is in front of; best->square: from where on they are too far, best->facet: -1 if all are. */
FEM_RD_INLINE void find_nearest(const fem_rd_mesh_walls *w, int dimension, int32_t cell,
                                const double *x, int32_t decided, const group *groups, int n,
                                int wanted, nearest *best) {
  double least = sqrt(best->square);
  for (int32_t k = w->start[cell]; k < w->start[cell + 1]; k++) {
    if (w->gap[k] >= least) break; /* the others are farther away */
    const int32_t facet = w->near[k];
    if (beyond(w, dimension, facet, x, least)) continue;
    const double height = above(w, dimension, facet, x);
    if (height < -1e-6 * w->reach || height >= least) continue;
    if (w->wall[facet] == decided) continue;
    if (n && group_of(w, dimension, groups, n, facet) != wanted) continue;
    double point[3];
    const double square = on_facet(dimension, corners_of(w, dimension, facet), x, point);
    if (square >= best->square) continue;
    best->facet = facet, best->square = square, least = sqrt(square);
    for (int a = 0; a < dimension; a++) best->point[a] = point[a];
  }
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
                       const nearest *from, const nearest *to) {
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
  const double bend = 0.5 * (w->bend[from->facet] + w->bend[to->facet]);
  return fem_rd_taken(kind, w->rate[wall], bend, sqrt(from->square), sqrt(to->square), p->tau);
}

/* Where the group was touched: between its points closest to beginning and end, on a facet. */
static int32_t touched_at(const fem_rd_mesh_walls *w, int dimension, const fem_rd_passage *p,
                          const group *groups, int wanted, const nearest *from, const nearest *to,
                          double *at) {
  const double before = sqrt(from->square), after = sqrt(to->square), both = before + after;
  const double part = both > 0.0 ? before / both : 0.0;
  double middle[3], best = INFINITY;
  int32_t found = from->facet;
  for (int a = 0; a < dimension; a++)
    middle[a] = from->point[a] + part * (to->point[a] - from->point[a]);
  for (int32_t k = w->start[p->cell]; k < w->start[p->cell + 1]; k++) {
    const int32_t facet = w->near[k];
    const double height = above(w, dimension, facet, middle);
    double point[3];
    if (height * height >= best) continue;
    if (group_of(w, dimension, groups, wanted + 1, facet) != wanted) continue;
    const double distance = on_facet(dimension, corners_of(w, dimension, facet), middle, point);
    if (distance >= best) continue;
    best = distance, found = facet;
    for (int a = 0; a < dimension; a++) at[a] = point[a];
  }
  return found;
}

/* The point of group ``n`` that is nearest to the end; ``end`` is that of all groups. */
FEM_RD_INLINE nearest last_point(const fem_rd_mesh_walls *w, int dimension,
                                 const fem_rd_passage *p, const group *groups, int n,
                                 const nearest *from, const nearest *end) {
  if (end->facet >= 0 && group_of(w, dimension, groups, n + 1, end->facet) == n) return *end;
  nearest to = {-1, {0.0}, INFINITY};
  find_nearest(w, dimension, p->last, p->end, p->decided, groups, n + 1, n, &to);
  if (to.facet >= 0) return to;
  to.facet = from->facet; /* the end is far from the wall, or behind its facets */
  to.square = on_facet(dimension, corners_of(w, dimension, to.facet), p->end, to.point);
  return to;
}

FEM_RD_INLINE int32_t near_walls(const fem_rd_mesh_walls *w, int dimension, const fem_rd_passage *p,
                                 double *at) {
  group groups[FEM_RD_MOST_GROUPS];
  nearest end = {-1, {0.0}, INFINITY};
  double farthest = p->reach * p->reach;
  for (int n = 0; n < FEM_RD_MOST_GROUPS; n++) {
    nearest from = {-1, {0.0}, farthest};
    find_nearest(w, dimension, p->cell, p->begin, p->decided, groups, n, n, &from);
    if (from.facet < 0) return -1;
    if (n == 0 && p->straight) {
      end.square = p->limit * p->limit / from.square;
      find_nearest(w, dimension, p->last, p->end, p->decided, groups, 0, 0, &end);
      if (end.facet < 0) return -1;
      farthest = fmin(farthest, p->limit * p->limit / end.square);
    }
    groups[n] = (group){w->wall[from.facet], plane_of(w, dimension, from.facet)};
    const nearest to = last_point(w, dimension, p, groups, n, &from, &end);
    const double u = fem_rd_wall_draw(p->key, p->step, p->id, (uint32_t)n);
    if (u < taken_by(w, dimension, p, &from, &to))
      return touched_at(w, dimension, p, groups, n, &from, &to, at);
  }
  return -1;
}

int32_t fem_rd_near_walls(const fem_rd_mesh_walls *w, int dimension, const fem_rd_passage *p,
                          double *at) {
  switch (dimension) {
    case 1: return near_walls(w, 1, p, at);
    case 2: return near_walls(w, 2, p, at);
    default: return near_walls(w, 3, p, at);
  }
}

void fem_rd_facet_distances(int32_t dimension, int64_t count, const double *points,
                            const double *corners, const int64_t *facet, double *distance) {
  for (int64_t i = 0; i < count; i++) {
    const double *x = points + i * dimension, *c = corners + facet[i] * dimension * dimension;
    double point[3];
    distance[i] = sqrt(dimension == 3   ? on_facet(3, c, x, point)
                       : dimension == 2 ? on_facet(2, c, x, point)
                                        : on_facet(1, c, x, point));
  }
}
