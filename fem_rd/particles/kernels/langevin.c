/* Langevin dynamics between two kicks: flight, friction and noise, flight. */
#include "langevin.h"

#include "block.h"
#include "wall.h"

enum { MOST_BOUNCES = 10000 };

/* Flies for ``time``; the wall that took the particle, where it then is, or FEM_RD_STAYS. */
typedef int (*flight)(int dimension, const void *shape, double *x, double *v, double time);

static int takes(int32_t kind) {
  return kind == FEM_RD_ABSORBING || kind == FEM_RD_ABSORBING_END;
}

/* One axis: the time at which it is left, or ``time``; the wall's side is written then. */
static double fly_axis(const fem_rd_axis *axis, double *x, double *v, double time, int *side) {
  const double width = axis->upper - axis->lower;
  double left = time;
  *side = FEM_RD_STAYS;
  for (int n = 0; n < MOST_BOUNCES; n++) {
    const double y = *x + *v * left;
    if (y >= axis->lower && y <= axis->upper) {
      *x = y;
      return time;
    }
    const int upper = y > axis->upper;
    const double wall = upper ? axis->upper : axis->lower;
    const int32_t kind = upper ? axis->upper_kind : axis->lower_kind;
    if (kind == FEM_RD_PERIODIC) {
      const double turn = y - axis->lower - width * floor((y - axis->lower) / width);
      *x = fmin(axis->lower + turn, axis->upper);
      return time;
    }
    left = fmax(left - (wall - *x) / *v, 0.0);
    *x = wall;
    if (takes(kind)) {
      *side = upper;
      return time - left;
    }
    *v = -*v;
  }
  return time;
}

static int fly_in_box(int dimension, const void *shape, double *x, double *v, double time) {
  const fem_rd_axis *axes = shape;
  double first = time, end[3], after[3];
  int out = FEM_RD_STAYS, side;
  for (int a = 0; a < dimension; a++) {
    end[a] = x[a], after[a] = v[a];
    const double when = fly_axis(axes + a, end + a, after + a, time, &side);
    if (side != FEM_RD_STAYS && (out == FEM_RD_STAYS || when < first)) first = when, out = 2 * a + side;
  }
  for (int a = 0; a < dimension; a++) {
    if (out == FEM_RD_STAYS || a == out / 2) x[a] = end[a], v[a] = after[a];
    else fly_axis(axes + a, x + a, v + a, first, &side);
  }
  return out;
}

/* The time until |x + v t| = radius is met from inside (the last root) or from outside (the first);
 * infinity if it is not. */
static double meets(int dimension, const double *x, const double *v, double radius, int inside) {
  double vv = 0.0, xv = 0.0, xx = -radius * radius;
  for (int a = 0; a < dimension; a++) vv += v[a] * v[a], xv += x[a] * v[a], xx += x[a] * x[a];
  const double root = xv * xv - vv * xx;
  if (vv == 0.0 || root < 0.0 || (!inside && xv >= 0.0)) return INFINITY;
  return inside ? fmax((sqrt(root) - xv) / vv, 0.0) : fmax(xx / (sqrt(root) - xv), 0.0);
}

static int fly_in_shell(int dimension, const void *shape, double *x, double *v, double time) {
  const fem_rd_shell *s = shape;
  for (int n = 0; n < MOST_BOUNCES; n++) {
    double at[3];
    for (int a = 0; a < dimension; a++) at[a] = x[a] - s->centre[a];
    const double out = meets(dimension, at, v, s->outer, 1);
    const double in = s->inner > 0.0 ? meets(dimension, at, v, s->inner, 0) : INFINITY;
    const double next = fmin(fmin(in, out), time);
    for (int a = 0; a < dimension; a++) x[a] += v[a] * next;
    if (next == time) break;
    const int outer = out <= in;
    if (takes(outer ? s->outer_kind : s->inner_kind)) return outer;
    double along = 0.0, square = 0.0;
    for (int a = 0; a < dimension; a++) {
      at[a] += v[a] * next;
      along += v[a] * at[a], square += at[a] * at[a];
    }
    for (int a = 0; a < dimension; a++) v[a] -= 2.0 * along / square * at[a];
    time -= next;
  }
  return FEM_RD_STAYS;
}

typedef struct {
  int dimension;
  int64_t count, stride;
  double *x, *v;
  const uint64_t *ids;
  uint64_t key, step;
  double half, decay, noise;
} job;

static int64_t fly(const job *j, flight flight, const void *shape, int64_t *who, int32_t *wall) {
  float normals[4][FEM_RD_BLOCK];
  uint64_t ids[FEM_RD_BLOCK] = {0};
  int64_t gone = 0;
  for (int64_t i = 0; i < j->count; i++) {
    const int64_t place = i % FEM_RD_BLOCK, rest = j->count - i;
    if (!place) {
      memcpy(ids, j->ids + i, sizeof *ids * (size_t)(rest < FEM_RD_BLOCK ? rest : FEM_RD_BLOCK));
      fem_rd_normals(j->key, j->step, FEM_RD_MOVE, 0, ids, j->dimension, normals);
    }
    double x[3], v[3];
    for (int a = 0; a < j->dimension; a++)
      x[a] = j->x[a * j->stride + i], v[a] = j->v[a * j->stride + i];
    int out = flight(j->dimension, shape, x, v, j->half);
    if (out == FEM_RD_STAYS) {
      for (int a = 0; a < j->dimension; a++)
        v[a] = j->decay * v[a] + j->noise * (double)normals[a][place];
      out = flight(j->dimension, shape, x, v, j->half);
    }
    if (out != FEM_RD_STAYS) who[gone] = i, wall[gone++] = out;
    for (int a = 0; a < j->dimension; a++)
      j->x[a * j->stride + i] = x[a], j->v[a * j->stride + i] = v[a];
  }
  return gone;
}

int64_t fem_rd_fly_box(int dimension, int64_t count, int64_t stride, double *x, double *v,
                       const uint64_t *ids, uint64_t key, uint64_t step, double half, double decay,
                       double noise, const fem_rd_axis *axes, int64_t *who, int32_t *wall) {
  const job j = {dimension, count, stride, x, v, ids, key, step, half, decay, noise};
  return fly(&j, fly_in_box, axes, who, wall);
}

int64_t fem_rd_fly_shell(int dimension, int64_t count, int64_t stride, double *x, double *v,
                         const uint64_t *ids, uint64_t key, uint64_t step, double half,
                         double decay, double noise, const fem_rd_shell *shell, int64_t *who,
                         int32_t *wall) {
  const job j = {dimension, count, stride, x, v, ids, key, step, half, decay, noise};
  return fly(&j, fly_in_shell, shell, who, wall);
}
