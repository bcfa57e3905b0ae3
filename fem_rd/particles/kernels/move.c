/* Brownian steps in a box: all particles of a block at once, then one by one those that may have
 * met a wall that does more than reflect. */
#include "move.h"

#include "random.h"
#include "wall.h"

enum { STAYS = -1, LOWER = 0, UPPER = 1 };

typedef struct {
  double end, when; /* the coordinate, and the part of the step after which it left */
  int side;
} outcome;

typedef struct {
  int dimension;
  uint64_t key, step;
  double spread;
  const fem_rd_axis *axes;
} job;

typedef struct {
  const uint64_t *ids;
  double *x[3];
  const double *shift[3]; /* one entry per particle, or NULL */
  double constant[3];
  int live;
} block;

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
  return (outcome){mirror ? end : y, 1.0, STAYS};
}

/* One wall at a time: the one that the path came closer to. */
static outcome nearer_wall(const fem_rd_axis *axis, double x, double y, double tau, double u) {
  const double to_lower = fmin(x, y) - axis->lower, to_upper = axis->upper - fmax(x, y);
  const int side = to_lower < to_upper ? LOWER : UPPER;
  const double a = side == LOWER ? x - axis->lower : axis->upper - x;
  const double b = side == LOWER ? y - axis->lower : axis->upper - y;
  const int32_t kind = side == LOWER ? axis->lower_kind : axis->upper_kind;
  const double rate = side == LOWER ? axis->lower_rate : axis->upper_rate;
  if (u < fem_rd_taken(kind, rate, a, b, tau)) return left_at(side, axis, x, y);
  if (y >= axis->lower && y <= axis->upper) return (outcome){y, 1.0, STAYS};
  return (outcome){axis->lower + folded(y - axis->lower, axis->upper - axis->lower), 1.0, STAYS};
}

static int exactly_two(const fem_rd_axis *axis) {
  const int32_t low = axis->lower_kind, high = axis->upper_kind;
  return (low == FEM_RD_ABSORBING || low == FEM_RD_REFLECTING) &&
         (high == FEM_RD_ABSORBING || high == FEM_RD_REFLECTING);
}

static int folds_only(const fem_rd_axis *axis) {
  return axis->lower_kind == axis->upper_kind &&
         (axis->lower_kind == FEM_RD_REFLECTING || axis->lower_kind == FEM_RD_PERIODIC);
}

/* Mirrors or wraps; what is inside keeps its bits. */
static void fold(const fem_rd_axis *axis, double *restrict y) {
  const double lower = axis->lower, upper = axis->upper, width = upper - lower;
  const int periodic = axis->lower_kind == FEM_RD_PERIODIC;
  const double period = periodic ? width : 2.0 * width, inverse = 1.0 / period;
#pragma omp simd
  for (int i = 0; i < FEM_RD_BLOCK; i++) {
    const double z = y[i] - lower, turn = z - period * floor(z * inverse);
    const double image = lower + (turn > width ? period - turn : turn);
    const double kept = image < lower ? lower : image > upper ? upper : image;
    y[i] = y[i] >= lower && y[i] <= upper ? y[i] : kept;
  }
}

/* One where a wall of the axis may have a say. */
static void near_walls(const fem_rd_axis *axis, const double *restrict x, const double *restrict y,
                       double tau, uint8_t *restrict near) {
  const double lower = axis->lower, upper = axis->upper, reach = FEM_RD_REACH * tau;
  const double low = axis->lower_kind == FEM_RD_REFLECTING ? 0.0 : reach;
  const double high = axis->upper_kind == FEM_RD_REFLECTING ? 0.0 : reach;
#pragma omp simd
  for (int i = 0; i < FEM_RD_BLOCK; i++)
    near[i] = (y[i] < lower) | (y[i] > upper) | ((x[i] - lower) * (y[i] - lower) < low) |
              ((upper - x[i]) * (upper - y[i]) < high);
}

/* The free step of one axis. */
static void stride_of(const job *j, const block *b, int a, const float *restrict normal,
                      double *restrict y) {
  const double *restrict x = b->x[a];
  const double spread = j->spread, constant = b->constant[a];
#pragma omp simd
  for (int i = 0; i < FEM_RD_BLOCK; i++) y[i] = x[i] + constant + spread * (double)normal[i];
  if (!b->shift[a]) return;
  const double *restrict shift = b->shift[a];
#pragma omp simd
  for (int i = 0; i < FEM_RD_BLOCK; i++) y[i] += shift[i];
}

/* Applies the walls of one axis to those near them; who leaves first through this axis is noted. */
static void meet_walls(const job *j, const block *b, int a, double *y, double *when,
                       int8_t *through) {
  const fem_rd_axis *axis = j->axes + a;
  const double tau = 0.5 * j->spread * j->spread;
  const int exact = exactly_two(axis);
  uint8_t near[FEM_RD_BLOCK];
  near_walls(axis, b->x[a], y, tau, near);
  for (int i = 0; i < b->live; i++) {
    if (!near[i]) continue;
    const fem_rd_words w = fem_rd_philox(j->key, j->step, b->ids[i], FEM_RD_WALL, (uint32_t)a);
    const double u = fem_rd_uniform(w.w[0], w.w[1]);
    const outcome met = exact ? two_barriers(axis, b->x[a][i], y[i], tau, u)
                              : nearer_wall(axis, b->x[a][i], y[i], tau, u);
    y[i] = met.end;
    if (met.side != STAYS && met.when < when[i])
      when[i] = met.when, through[i] = (int8_t)(2 * a + met.side);
  }
}

/* Asks memory for the next block, so that it arrives while this one's normals are drawn. */
static void fetch_next(const job *j, const block *b) {
  for (int i = FEM_RD_BLOCK; i < 2 * FEM_RD_BLOCK; i += 8) { /* 64 bytes at a time */
    __builtin_prefetch(b->ids + i);
    for (int a = 0; a < j->dimension; a++) {
      __builtin_prefetch(b->x[a] + i, 1);
      if (b->shift[a]) __builtin_prefetch(b->shift[a] + i);
    }
  }
}

/* A block of exactly FEM_RD_BLOCK particles, of which the first ``live`` exist. */
static __attribute__((noinline)) void advance(const job *j, block *b, int8_t *through) {
  float normals[4][FEM_RD_BLOCK];
  double y[3][FEM_RD_BLOCK], when[FEM_RD_BLOCK];
  int walls = 0;
  fetch_next(j, b);
  fem_rd_normals(j->key, j->step, FEM_RD_MOVE, 0, b->ids, j->dimension, normals);
  for (int a = 0; a < j->dimension; a++) {
    stride_of(j, b, a, normals[a], y[a]);
    if (folds_only(j->axes + a)) {
      fold(j->axes + a, y[a]);
      continue;
    }
    if (!walls++)
      for (int i = 0; i < FEM_RD_BLOCK; i++) when[i] = 2.0, through[i] = STAYS;
    meet_walls(j, b, a, y[a], when, through);
  }
  for (int i = 0; walls && i < b->live; i++) {
    if (through[i] == STAYS) continue;
    for (int a = 0; a < j->dimension; a++)
      if (a != through[i] / 2 && j->axes[a].lower_kind != FEM_RD_PERIODIC)
        y[a][i] = b->x[a][i] + when[i] * (y[a][i] - b->x[a][i]);
  }
  for (int a = 0; a < j->dimension; a++) memcpy(b->x[a], y[a], sizeof y[a]);
}

/* The last, incomplete block is copied to one that is full. */
static void advance_rest(const job *j, block *b, int8_t *through) {
  static const double middle = 0.5;
  uint64_t ids[FEM_RD_BLOCK] = {0};
  double x[3][FEM_RD_BLOCK], shift[3][FEM_RD_BLOCK] = {{0}};
  const size_t live = (size_t)b->live;
  block full = *b;
  full.ids = memcpy(ids, b->ids, live * sizeof *ids);
  for (int a = 0; a < j->dimension; a++) {
    for (int i = 0; i < FEM_RD_BLOCK; i++)
      x[a][i] = j->axes[a].lower + middle * (j->axes[a].upper - j->axes[a].lower);
    full.x[a] = memcpy(x[a], b->x[a], live * sizeof(double));
    if (b->shift[a]) full.shift[a] = memcpy(shift[a], b->shift[a], live * sizeof(double));
  }
  advance(j, &full, through);
  for (int a = 0; a < j->dimension; a++) memcpy(b->x[a], x[a], live * sizeof(double));
}

int64_t fem_rd_move_box(int dimension, int64_t count, int64_t stride, double *x,
                        const uint64_t *ids, uint64_t key, uint64_t step, double spread,
                        const double *shift, int64_t shift_stride, int64_t shift_each,
                        const fem_rd_axis *axes, int64_t *who, int32_t *wall) {
  const job j = {dimension, key, step, spread, axes};
  int8_t through[FEM_RD_BLOCK];
  int64_t gone = 0;
  int walls = 0;
  for (int a = 0; a < dimension; a++) walls |= !folds_only(axes + a);
  for (int64_t first = 0; first < count; first += FEM_RD_BLOCK) {
    block b = {.ids = ids + first,
               .live = count - first < FEM_RD_BLOCK ? (int)(count - first) : FEM_RD_BLOCK};
    for (int a = 0; a < dimension; a++) {
      b.x[a] = x + a * stride + first;
      if (shift && shift_each) b.shift[a] = shift + a * shift_stride + first;
      else if (shift) b.constant[a] = shift[a * shift_stride];
    }
    if (b.live == FEM_RD_BLOCK) advance(&j, &b, through);
    else advance_rest(&j, &b, through);
    for (int i = 0; walls && i < b.live; i++)
      if (through[i] != STAYS) who[gone] = first + i, wall[gone++] = through[i];
  }
  return gone;
}
