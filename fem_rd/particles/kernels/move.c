/* Brownian steps in a box: all particles of a block at once, then one by one those that may have
 * met a wall that does more than reflect. */
#include "move.h"

#include "block.h"
#include "wall.h"

enum { LOWER = 0, UPPER = 1 };

typedef struct {
  double end, when; /* the coordinate, and the part of the step after which it left */
  int side;
} outcome;

typedef struct {
  fem_rd_stride stride;
  const fem_rd_axis *axes;
  int drifts[3]; /* whether a drift at a wall matters: pushed by one wall at a time */
  int each;      /* whether particles meet walls one by one, on some axis */
} job;

/* The probability that the bridge from x to y touches the barrier at 0 or at ``width`` (``side``)
 * before the other: p(0) - p(width, 0) + p(0, width, 0) - ..., each by reflection of the end. */
static double first_touch(int side, double x, double y, double width, double tau) {
  double sum = 0.0, sign = 1.0, end = y;
  const double direct = (y - x) * (y - x);
  int at = side;
  for (int n = 0; n < 1000; n++, sign = -sign, at = 1 - at) {
    const double barrier = at == LOWER ? 0.0 : width;
    if (at == LOWER ? end > barrier : end < barrier) end = 2.0 * barrier - end;
    const double term = exp((direct - (end - x) * (end - x)) / (4.0 * tau));
    sum += sign * term;
    if (term < 1e-18) break;
  }
  return sum;
}

static outcome left_at(int side, const fem_rd_axis *axis, double x, double y) {
  const double wall = side == LOWER ? axis->lower : axis->upper;
  const double before = fabs(x - wall), after = fabs(y - wall), both = before + after;
  return (outcome){wall, both > 0.0 ? before / both : 0.0, side};
}

/* x mirrored into [0, width] as often as it takes. */
static double folded(double x, double width) {
  const double turn = x - 2.0 * width * floor(x / (2.0 * width));
  return turn > width ? 2.0 * width - turn : turn;
}

/* Two barriers at once, exactly: both absorb, or one does and the other is unfolded. */
static outcome two_barriers(const fem_rd_axis *axis, double x, double y, double tau, double u) {
  const double width = axis->upper - axis->lower;
  const int mirror_low = axis->lower_kind == FEM_RD_REFLECTING;
  const int mirror = mirror_low || axis->upper_kind == FEM_RD_REFLECTING;
  const double a = mirror_low ? axis->upper - x : x - axis->lower;
  const double b = mirror_low ? axis->upper - y : y - axis->lower;
  const double span = mirror ? 2.0 * width : width;
  const double low = first_touch(LOWER, a, b, span, tau);
  const double high = first_touch(UPPER, a, b, span, tau);
  const int absorbing = mirror_low ? UPPER : LOWER;
  if (u < low || b <= 0.0) return left_at(mirror ? absorbing : LOWER, axis, x, y);
  if (u < low + high || b >= span) return left_at(mirror ? absorbing : UPPER, axis, x, y);
  const double end = axis->lower + folded(y - axis->lower, width);
  return (outcome){mirror ? end : y, 1.0, FEM_RD_STAYS};
}

/* One wall at a time: the one that the path came closer to. With a drift, what a wall pushes is its
 * local time as well: exp(-rate push) survive a partially absorbing one. */
static outcome nearer_wall(const fem_rd_axis *axis, int drifts, double x, double y, double tau,
                           double u, double v) {
  const double to_lower = fmin(x, y) - axis->lower, to_upper = axis->upper - fmax(x, y);
  const int side = to_lower < to_upper ? LOWER : UPPER;
  const double a = side == LOWER ? x - axis->lower : axis->upper - x;
  const double b = side == LOWER ? y - axis->lower : axis->upper - y;
  const int32_t kind = side == LOWER ? axis->lower_kind : axis->upper_kind;
  const double rate = side == LOWER ? axis->lower_rate : axis->upper_rate;
  if (drifts && (kind == FEM_RD_REFLECTING || kind == FEM_RD_ELASTIC)) {
    const double push = fem_rd_push(a, b, tau, u);
    if (rate > 0.0 && v < -expm1(-rate * push)) return left_at(side, axis, x, y);
    y += side == LOWER ? push : -push;
  } else if (u < fem_rd_taken(kind, rate, 0.0, a, b, tau)) {
    return left_at(side, axis, x, y);
  }
  if (y >= axis->lower && y <= axis->upper) return (outcome){y, 1.0, FEM_RD_STAYS};
  return (outcome){axis->lower + folded(y - axis->lower, axis->upper - axis->lower), 1.0, FEM_RD_STAYS};
}

static int exactly_two(const fem_rd_axis *axis) {
  const int32_t low = axis->lower_kind, high = axis->upper_kind;
  return (low == FEM_RD_ABSORBING || low == FEM_RD_REFLECTING) &&
         (high == FEM_RD_ABSORBING || high == FEM_RD_REFLECTING);
}

static int pushes(int32_t kind) { return kind == FEM_RD_REFLECTING || kind == FEM_RD_ELASTIC; }

static int folds_only(const fem_rd_axis *axis, int drifts) {
  return axis->lower_kind == axis->upper_kind && (axis->lower_kind == FEM_RD_PERIODIC ||
                                                  (axis->lower_kind == FEM_RD_REFLECTING && !drifts));
}

/* Mirrors or wraps what is outside, at the nearer face; by both in turn where once is not enough. */
static void fold(const fem_rd_axis *axis, double *y) {
  const double lower = axis->lower, upper = axis->upper, width = upper - lower;
  const int periodic = axis->lower_kind == FEM_RD_PERIODIC;
  const double sign = periodic ? 1.0 : -1.0;
  const double low = periodic ? width : 2.0 * lower, high = periodic ? -width : 2.0 * upper;
  int outside = 0;
#pragma omp simd reduction(| : outside)
  for (int i = 0; i < FEM_RD_BLOCK; i++) {
    double z = y[i];
    z = z < lower ? low + sign * z : z;
    z = z > upper ? high + sign * z : z;
    outside |= (z < lower) | (z > upper);
    y[i] = z;
  }
  for (int i = 0; outside && i < FEM_RD_BLOCK; i++)
    if (y[i] < lower || y[i] > upper)
      y[i] = fmin(fmax(lower + (periodic ? y[i] - lower - width * floor((y[i] - lower) / width)
                                         : folded(y[i] - lower, width)), lower), upper);
}

/* One where a wall of the axis may have a say. */
static void near_walls(const fem_rd_axis *axis, int drifts, const double *restrict x, const double *restrict y,
                       double tau, uint8_t *restrict near) {
  const double lower = axis->lower, upper = axis->upper, reach = FEM_RD_REACH * tau;
  const double low = !drifts && axis->lower_kind == FEM_RD_REFLECTING ? 0.0 : reach;
  const double high = !drifts && axis->upper_kind == FEM_RD_REFLECTING ? 0.0 : reach;
#pragma omp simd
  for (int i = 0; i < FEM_RD_BLOCK; i++)
    near[i] = (y[i] < lower) | (y[i] > upper) | ((x[i] - lower) * (y[i] - lower) < low) |
              ((upper - x[i]) * (upper - y[i]) < high);
}

/* Applies the walls of one axis to those near them; who leaves first through this axis is noted. */
static void meet_walls(const job *j, const fem_rd_block *b, int a, double *y, double *when,
                       int8_t *through) {
  const fem_rd_axis *axis = j->axes + a;
  const fem_rd_stride *s = &j->stride;
  const double tau = 0.5 * s->spread * s->spread;
  const int drifts = j->drifts[a], exact = exactly_two(axis) && !drifts;
  uint8_t near[FEM_RD_BLOCK];
  near_walls(axis, drifts, b->x[a], y, tau, near);
  for (int i = 0; i < b->live; i++) {
    if (!near[i]) continue;
    const fem_rd_words w = fem_rd_philox(s->key, s->step, b->ids[i], FEM_RD_WALL, (uint32_t)a);
    const double u = fem_rd_uniform(w.w[0], w.w[1]), v = fem_rd_uniform(w.w[2], w.w[3]);
    const outcome met = exact ? two_barriers(axis, b->x[a][i], y[i], tau, u)
                              : nearer_wall(axis, drifts, b->x[a][i], y[i], tau, u, v);
    y[i] = met.end;
    if (met.side != FEM_RD_STAYS && met.when < when[i])
      when[i] = met.when, through[i] = (int8_t)(2 * a + met.side);
  }
}

/* Who left is put where it crossed, on the straight line of its step. */
static void put_on_walls(const job *j, const fem_rd_block *b, double y[3][FEM_RD_BLOCK],
                         const double *when, const int8_t *through) {
  for (int i = 0; i < b->live; i++) {
    if (through[i] == FEM_RD_STAYS) continue;
    for (int a = 0; a < j->stride.dimension; a++)
      if (a != through[i] / 2 && j->axes[a].lower_kind != FEM_RD_PERIODIC)
        y[a][i] = b->x[a][i] + when[i] * (y[a][i] - b->x[a][i]);
  }
}

static __attribute__((noinline)) void advance(const void *given, const fem_rd_block *b,
                                              int8_t *through) {
  const job *j = given;
  const fem_rd_stride *s = &j->stride;
  float normals[4][FEM_RD_BLOCK];
  double y[3][FEM_RD_BLOCK], when[FEM_RD_BLOCK];
  fem_rd_fetch_next(s->dimension, b);
  fem_rd_normals(s->key, s->step, FEM_RD_MOVE, 0, b->ids, s->dimension, normals);
  for (int i = 0; j->each && i < FEM_RD_BLOCK; i++) when[i] = 2.0, through[i] = FEM_RD_STAYS;
  for (int a = 0; a < s->dimension; a++) {
    double *end = j->each ? y[a] : b->x[a]; /* walls need both ends of a step */
    fem_rd_free_step(s, b, a, normals[a], end);
    if (folds_only(j->axes + a, j->drifts[a])) fold(j->axes + a, end);
    else meet_walls(j, b, a, end, when, through);
  }
  if (!j->each) return;
  put_on_walls(j, b, y, when, through);
  for (int a = 0; a < s->dimension; a++) memcpy(b->x[a], y[a], sizeof y[a]);
}

int64_t fem_rd_move_box(int dimension, int64_t count, int64_t stride, double *x,
                        const uint64_t *ids, uint64_t key, uint64_t step, double spread,
                        const double *shift, int64_t shift_stride, int64_t shift_each,
                        const fem_rd_axis *axes, int64_t *who, int32_t *wall) {
  job j = {{dimension, key, step, spread}, axes, {0}, 0};
  for (int a = 0; a < dimension; a++) {
    const int moved = shift && (shift_each || shift[a * shift_stride] != 0.0);
    const int apart = 6.0 * spread <= axes[a].upper - axes[a].lower;
    j.drifts[a] = moved && apart && (pushes(axes[a].lower_kind) || pushes(axes[a].upper_kind));
    j.each |= !folds_only(axes + a, j.drifts[a]);
  }
  return fem_rd_blocks(dimension, count, stride, x, ids, shift, shift_stride, shift_each, advance,
                       &j, j.each, who, wall);
}
