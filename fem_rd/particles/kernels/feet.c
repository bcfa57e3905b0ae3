/* The point of a surface of facets that is nearest to a given one.
 *
 * A bin of space knows all facets that can be nearest to a point in it, those first that are near its
 * middle: bins[b] is the first place of its list of members, or NEW, as nobody asked, or something less
 * where there are too many. A member is 8 facet + flags; the last one of a list is -1 less that.
 *
 * Most points need one facet only, that which their foot is inside of. No other is nearer that is on
 * the other side of its plane. And if a point is less high above a facet than its foot is far from
 * the edges, no other is nearer that lies beyond one of the edges. Flags say where all others of the
 * bin do. */
#include "feet.h"

#include <math.h>
#include <string.h>

#define INLINE static inline __attribute__((always_inline))
#define ROUND_OFF 1e-9

enum { NEW = -1, NOWHERE = -1, MOST = FEM_RD_FEET_MOST };
enum { BELOW = 1, ABOVE = 2, BEYOND = 4, FLAGS = 8 };

/* Not fmin, which is a call of a function where nan has to be left out. */
INLINE double smaller(double a, double b) { return a < b ? a : b; }

/* The weight of the second end at the nearest point of a segment. */
INLINE double on_segment(int dimension, const double *from, const double *to, const double *point) {
  double along = 0.0, length = 0.0;
  for (int a = 0; a < dimension; a++) {
    const double edge = to[a] - from[a];
    along += edge * (point[a] - from[a]);
    length += edge * edge;
  }
  const double share = smaller(along / length, 1.0);
  return share > 0.0 ? share : 0.0;
}

/* Weights at the nearest point of a triangle: of its plane, or else of the nearest edge. */
static void on_triangle(const double *corners, const double *point, double *weights) {
  double aa = 0.0, ab = 0.0, bb = 0.0, ap = 0.0, bp = 0.0;
  for (int i = 0; i < 3; i++) {
    const double a = corners[3 + i] - corners[i], b = corners[6 + i] - corners[i];
    const double p = point[i] - corners[i];
    aa += a * a, ab += a * b, bb += b * b, ap += a * p, bp += b * p;
  }
  const double area = aa * bb - ab * ab;
  const double v = (bb * ap - ab * bp) / area, w = (aa * bp - ab * ap) / area;
  if (v >= 0.0 && w >= 0.0 && v + w <= 1.0) {
    weights[0] = 1.0 - v - w, weights[1] = v, weights[2] = w;
    return;
  }
  double best = INFINITY, part = 0.0;
  int begin = 0;
  for (int first = 0; first < 3; first++) {
    const double *from = corners + 3 * first, *to = corners + 3 * ((first + 1) % 3);
    const double share = on_segment(3, from, to, point);
    double square = 0.0;
    for (int i = 0; i < 3; i++) {
      const double step = (1.0 - share) * from[i] + share * to[i] - point[i];
      square += step * step;
    }
    if (square < best) best = square, begin = first, part = share;
  }
  weights[0] = weights[1] = weights[2] = 0.0;
  weights[begin] = 1.0 - part, weights[(begin + 1) % 3] = part;
}

/* The square of the distance of a point from a facet, and the weights of its nearest point. */
INLINE double squared_distance(int dimension, const double *corners, const double *point,
                               double *weights) {
  weights[0] = 1.0;
  if (dimension == 2) {
    weights[1] = on_segment(2, corners, corners + 2, point);
    weights[0] = 1.0 - weights[1];
  }
  if (dimension == 3) on_triangle(corners, point, weights);
  double square = 0.0;
  for (int a = 0; a < dimension; a++) {
    double step = -point[a];
    for (int k = 0; k < dimension; k++) step += weights[k] * corners[k * dimension + a];
    square += step * step;
  }
  return square;
}

/* The height above the plane of a facet, of either sign. The point of that plane that is nearest has
 * the weights; ``margin``: how far inside of the facet it is, negative if it is outside. */
INLINE double from_plane(const fem_rd_surface *s, int dimension, int64_t facet, const double *point,
                         double *weights, double *margin) {
  const double *frame = s->frames + facet * dimension * (dimension + 2);
  const double *heights = frame + dimension * (dimension + 1);
  double along[3] = {0.0, 0.0, 0.0}, first = 1.0, least = INFINITY;
  for (int k = 0; k < dimension; k++)
    for (int a = 0; a < dimension; a++)
      along[k] += frame[dimension * (k + 1) + a] * (point[a] - frame[a]);
  for (int k = 1; k < dimension; k++) {
    weights[k] = along[k];
    first -= along[k];
    least = smaller(least, along[k] * heights[k]);
  }
  weights[0] = first;
  *margin = dimension > 1 ? smaller(least, first * heights[0]) : 0.0;
  return along[0];
}

/* The nearest of a list of facets. If none was sure, most points are above one of them; then others are
 * farther than that, by how far outside of them it is, and only if not, their edges are asked. */
INLINE int64_t of_list(const fem_rd_surface *s, int dimension, int64_t begin, const double *point,
                       double *weights, double *square) {
  int64_t nearest = NOWHERE, others[MOST];
  int32_t last;
  double best = INFINITY, least[MOST], found[3];
  int count = 0;
  do {
    last = s->members[begin] < 0;
    const int32_t member = last ? -1 - s->members[begin] : s->members[begin];
    const int64_t facet = member / FLAGS;
    double margin;
    const double height = from_plane(s, dimension, facet, point, found, &margin);
    const double distance = height * height, near = margin * (1.0 - ROUND_OFF);
    const int sides = (height >= 0.0 ? BELOW : 0) | (height <= 0.0 ? ABOVE : 0) |
                      (distance < near * near ? BEYOND : 0);
    const int sure = (margin > 0.0) & ((member & sides) != 0);
    if (margin < 0.0) {
      others[count] = facet, least[count++] = (distance + margin * margin) * (1.0 - ROUND_OFF);
    } else if (sure || distance < best || (distance == best && facet < nearest)) {
      best = distance, nearest = facet;
      for (int c = 0; c < dimension; c++) weights[c] = found[c];
    }
    if (sure) count = 0;
    last |= sure, begin++;
  } while (!last);
  for (int i = 0; i < count; i++) {
    if (least[i] > best) continue;
    const double *corners = s->corners + others[i] * dimension * dimension;
    const double distance = squared_distance(dimension, corners, point, found);
    if (distance < best || (distance == best && others[i] < nearest)) {
      best = distance, nearest = others[i];
      for (int c = 0; c < dimension; c++) weights[c] = found[c];
    }
  }
  *square = best;
  return nearest;
}

/* The bins of up to BLOCK points, -1 outside; memory is asked for them all before one is looked at. */
INLINE void bins_of(const fem_rd_surface *s, int dimension, int64_t count, int64_t stride,
                    const double *x, int64_t *bins) {
  for (int64_t i = 0; i < count; i++) {
    int64_t bin = 0;
    int inside = 1;
    for (int a = 0; a < dimension; a++) {
      const double place = (x[a * stride + i] - s->lower[a]) * s->inverse;
      const int within = place >= 0.0 && place < (double)s->shape[a];
      bin = bin * s->shape[a] + (within ? (int64_t)place : 0);
      inside &= within;
    }
    bins[i] = inside ? bin : NOWHERE;
    __builtin_prefetch(s->bins + (inside ? bin : 0));
  }
}

INLINE int64_t foot(const fem_rd_surface *s, int dimension, int64_t bin, const double *point,
                    double *weights, double *square) {
  if (bin < 0) return NOWHERE;
  const int32_t begin = s->bins[bin];
  if (begin >= 0) return of_list(s, dimension, begin, point, weights, square);
  return begin == NEW ? -3 - bin : NOWHERE;
}

/* What is done with each foot. */
typedef struct {
  int64_t *facet;
  double *weights, *square; /* kept, */
  const int64_t *nodes;
  const double *nodal;
  double *values; /* or summed with values at the nodes, */
  double amount, *given; /* or an amount that is shared out among them */
  int64_t *missed;
} use;

enum { BLOCK = 64, KEEP, INTERPOLATE, SHARE_OUT };

INLINE int64_t all_feet(const fem_rd_surface *s, int dimension, int what, int64_t count,
                        int64_t stride, const double *x, const use *u) {
  int64_t unknown = 0, bins[BLOCK];
  for (int64_t i = 0; i < count; i++) {
    if (i % BLOCK == 0)
      bins_of(s, dimension, count - i < BLOCK ? count - i : BLOCK, stride, x + i, bins);
    double point[3], weights[3] = {0.0}, square = 0.0;
    for (int a = 0; a < dimension; a++) point[a] = x[a * stride + i];
    const int64_t facet = foot(s, dimension, bins[i % BLOCK], point, weights, &square);
    if (what == KEEP) {
      u->facet[i] = facet, u->square[i] = square;
      for (int k = 0; k < dimension; k++) u->weights[i * dimension + k] = weights[k];
      unknown += facet < 0;
    } else if (facet < 0) {
      u->missed[unknown++] = i;
    } else if (what == INTERPOLATE) {
      double value = 0.0;
      for (int k = 0; k < dimension; k++)
        value += weights[k] * u->nodal[u->nodes[facet * dimension + k]];
      u->values[i] = value;
    } else {
      for (int k = 0; k < dimension; k++)
        u->given[u->nodes[facet * dimension + k]] += u->amount * weights[k];
    }
  }
  return unknown;
}

INLINE int64_t in_dimension(const fem_rd_surface *s, int what, int64_t count, int64_t stride,
                            const double *x, const use *u) {
  switch (s->dimension) {
    case 1: return all_feet(s, 1, what, count, stride, x, u);
    case 2: return all_feet(s, 2, what, count, stride, x, u);
    default: return all_feet(s, 3, what, count, stride, x, u);
  }
}

int64_t fem_rd_feet(const fem_rd_surface *s, int64_t count, int64_t stride, const double *x,
                    int64_t *facet, double *weights, double *square) {
  const use u = {.facet = facet, .weights = weights, .square = square};
  return in_dimension(s, KEEP, count, stride, x, &u);
}

int64_t fem_rd_feet_values(const fem_rd_surface *s, int64_t count, int64_t stride, const double *x,
                           const int64_t *nodes, const double *nodal, double *values,
                           int64_t *missed) {
  const use u = {.nodes = nodes, .nodal = nodal, .values = values, .missed = missed};
  return in_dimension(s, INTERPOLATE, count, stride, x, &u);
}

int64_t fem_rd_feet_deposit(const fem_rd_surface *s, int64_t count, int64_t stride, const double *x,
                            const int64_t *nodes, double amount, double *nodal, int64_t *missed) {
  const use u = {.nodes = nodes, .amount = amount, .given = nodal, .missed = missed};
  return in_dimension(s, SHARE_OUT, count, stride, x, &u);
}

void fem_rd_feet_nearest(int dimension, const double *corners, const double *points, int64_t asked,
                         const int64_t *which, int64_t width, const int64_t *candidates,
                         const double *least, int64_t *facet, double *weights, double *square) {
  for (int64_t row = 0; row < asked; row++) {
    const int64_t i = which[row];
    for (int64_t k = row * width; k < (row + 1) * width; k++) {
      if (least[k] > 0.0 && least[k] * least[k] > square[i]) break;
      double found[3];
      const double *one = corners + candidates[k] * dimension * dimension;
      const double distance = squared_distance(dimension, one, points + i * dimension, found);
      if (distance < square[i] || (distance == square[i] && candidates[k] < facet[i])) {
        facet[i] = candidates[k], square[i] = distance;
        memcpy(weights + i * dimension, found, (size_t)dimension * sizeof *found);
      }
    }
  }
}

/* On which sides of a facet another one lies: flags. */
static int sides_of(const fem_rd_surface *s, int dimension, int64_t facet, int64_t other) {
  double most[3] = {-INFINITY, -INFINITY, -INFINITY}, low = INFINITY, high = -INFINITY;
  for (int corner = 0; corner < dimension; corner++) {
    double weights[3] = {0.0}, margin;
    const double *point = s->corners + (other * dimension + corner) * dimension;
    const double height = from_plane(s, dimension, facet, point, weights, &margin);
    low = smaller(low, height), high = -smaller(-high, -height);
    for (int k = 0; k < dimension; k++) most[k] = -smaller(-most[k], -weights[k]);
  }
  const int beyond = smaller(most[0], smaller(most[1], most[2])) <= ROUND_OFF;
  const double *frame = s->frames + facet * dimension * (dimension + 2);
  const double small = ROUND_OFF * frame[dimension * (dimension + 1)];
  return (high <= small ? BELOW : 0) | (low >= -small ? ABOVE : 0) | (beyond ? BEYOND : 0);
}

/* By the distance from the middle of the bin, and among equals by number. */
static void sort(int64_t count, int64_t *members, double *squares) {
  for (int64_t k = 1; k < count; k++) {
    const int64_t member = members[k];
    const double square = squares[k];
    int64_t at = k;
    for (; at > 0 && (squares[at - 1] > square ||
                      (squares[at - 1] == square && members[at - 1] > member)); at--)
      members[at] = members[at - 1], squares[at] = squares[at - 1];
    members[at] = member, squares[at] = square;
  }
}

void fem_rd_feet_sift(const fem_rd_surface *s, int64_t bins, const double *middles,
                      const double *limits, const int64_t *counts, int64_t *members,
                      int64_t *kept) {
  const int dimension = s->dimension;
  for (int64_t bin = 0; bin < bins; members += counts[bin++]) {
    double squares[MOST];
    int64_t near = 0, flags[MOST];
    for (int64_t k = 0; k < counts[bin] && near <= MOST; k++) {
      double found[3];
      const double *one = s->corners + members[k] * dimension * dimension;
      const double square = squared_distance(dimension, one, middles + bin * dimension, found);
      if (sqrt(square) > limits[bin]) continue;
      if (near < MOST) members[near] = members[k], squares[near] = square;
      near++;
    }
    kept[bin] = near <= MOST ? near : 0;
    sort(kept[bin], members, squares);
    for (int64_t k = 0; k < kept[bin]; k++) {
      flags[k] = dimension > 1 ? BELOW | ABOVE | BEYOND : 0;
      for (int64_t other = 0; other < kept[bin]; other++)
        if (other != k) flags[k] &= sides_of(s, dimension, members[k], members[other]);
    }
    for (int64_t k = 0; k < kept[bin]; k++) members[k] = FLAGS * members[k] + flags[k];
    if (kept[bin]) members[kept[bin] - 1] = -1 - members[kept[bin] - 1];
  }
}
