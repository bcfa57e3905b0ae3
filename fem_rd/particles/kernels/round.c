/* Brownian steps in a ball or a shell.
 *
 * Written for u = r p, radial diffusion in three dimensions is that on a line with a wall at which
 * du/dn = bend u, bend = +1/a for a sphere seen from outside, -1/a from inside: its propagators are
 * closed (wall.h, fem_rd_taken), and reflection, absorption and partial absorption are exact for
 * whatever depends on r only. A circle is taken as the sphere of the same mean curvature. The
 * direction is that of the free step, turned a little more (put_back). */
#include "round.h"

#include "block.h"
#include "wall.h"

enum { INNER = 0, OUTER = 1 };

typedef struct {
  fem_rd_stride stride;
  const fem_rd_shell *shell;
  int takes;
} job;

/* A wall seen by one particle: distances before and after the free step, inside positive. */
typedef struct {
  int side;
  int32_t kind;
  double rate, radius, sign; /* radius of the sphere; +1 seen from outside it, -1 from inside */
  double before, after;
} meeting;

/* How deep a particle that went beyond the wall by ``beyond`` is put inside.
 *
 * What crossed the wall is spread as what reflection adds, in the same order of depth: both have
 * the same mass beyond, G(beyond) = G(t) + sign t E(t), where with z = before + t, phi the normal
 * density of the step and Q its tail, G = r Q - sign spread^2 phi, r = radius + sign before, and
 * E = exp(bend z + bend^2 tau) erfc(z/sqrt(4 tau) + bend sqrt(tau)). Newton on the logarithm. */
static double mirrored(const meeting *m, double spread, double beyond) {
  const double bend = m->sign / m->radius, r = m->radius + m->sign * m->before;
  const double root2 = M_SQRT2 * spread, mills = sqrt(0.5 * M_PI) * spread;
  const double square = spread * spread, reach = m->before + beyond;
  const double mass = r * mills * fem_rd_erfcx(reach / root2) - m->sign * square;
  double t = beyond;
  for (int n = 0; n < 4; n++) {
    const double z = m->before + t;
    const double x = 2.0 * mills * fem_rd_erfcx(z / root2 + bend * spread * M_SQRT1_2);
    const double g = r * mills * fem_rd_erfcx(z / root2) + m->sign * (t * x - square);
    const double residual = (reach * reach - z * z) / (2.0 * square) + log(g / mass);
    const double density = (m->radius + m->sign * t) * (1.0 - bend * x);
    t += residual * g / density;
    if (t < 0.0) t = 0.0;
  }
  return t;
}

static meeting nearer(const fem_rd_shell *s, int dimension, double r, double end) {
  const double curved = dimension == 3 ? 1.0 : 2.0; /* radius of the sphere of that curvature */
  const double to_inner = fmin(r, end) - s->inner, to_outer = s->outer - fmax(r, end);
  if (s->inner > 0.0 && to_inner < to_outer)
    return (meeting){INNER, s->inner_kind, s->inner_rate, curved * s->inner, 1.0, r - s->inner,
                     end - s->inner};
  return (meeting){OUTER, s->outer_kind, s->outer_rate, curved * s->outer, -1.0, s->outer - r,
                   s->outer - end};
}

/* The probability that the wall takes the particle. */
static double taken(const meeting *m, int dimension, double depth, double tau) {
  const double y = m->after < 0.0 && m->kind == FEM_RD_ELASTIC ? depth : m->after;
  const double p = fem_rd_taken(m->kind, m->rate, m->sign / m->radius, m->before, y, tau);
  if (m->kind != FEM_RD_ABSORBING || m->side == OUTER || dimension != 3 || p >= 1.0) return p;
  /* steps past a small sphere: the free radial law has its image in the centre as well */
  const double centre = exp(-(m->radius + m->before) * (m->radius + m->after) / tau);
  return 1.0 - (1.0 - p) / (1.0 - centre);
}

/* Puts y, which is beyond the wall, at the depth inside.
 *
 * The turn from x to y is made larger by the radius that y has over that of the wall: what a path
 * turned beyond the wall it turns more on the other side, 1/(R - d)^2 for 1/(R + d)^2 at depth d.
 * Over all that cross from a uniform density, this is right to first order in d/R. */
static void put_back(const job *j, const meeting *m, double wall, double depth, const double *x,
                     double *y) {
  const fem_rd_shell *s = j->shell;
  const int dimension = j->stride.dimension;
  double xx = 0.0, xy = 0.0, yy = 0.0;
  for (int a = 0; a < dimension; a++) xx += x[a] * x[a], xy += x[a] * y[a];
  const double along = xx > 0.0 ? xy / xx : 0.0, more = -m->sign * -m->after / wall;
  for (int a = 0; a < dimension && xx > 0.0; a++) y[a] += more * (y[a] - along * x[a]);
  for (int a = 0; a < dimension; a++) yy += y[a] * y[a];
  double inside = m->side == INNER ? wall + depth : wall - depth; /* < 0: past the centre */
  inside = fmin(fmax(inside, s->inner > 0.0 ? s->inner : -s->outer), s->outer);
  for (int a = 0; a < dimension; a++) y[a] *= inside / sqrt(yy);
}

/* Where the particle that went from x to y ends; the wall that took it, or FEM_RD_STAYS. */
static int meet(const job *j, uint64_t id, const double *x, double *y, double r, double end) {
  const fem_rd_stride *s = &j->stride;
  const double tau = 0.5 * s->spread * s->spread;
  const meeting m = nearer(j->shell, s->dimension, r, end);
  const double depth = m.after < 0.0 ? mirrored(&m, s->spread, -m.after) : m.after;
  const double wall = m.side == INNER ? j->shell->inner : j->shell->outer;
  const fem_rd_words w = fem_rd_philox(s->key, s->step, id, FEM_RD_WALL, 0);
  if (fem_rd_uniform(w.w[0], w.w[1]) < taken(&m, s->dimension, depth, tau)) {
    const double both = fabs(m.before) + fabs(m.after);
    const double when = both > 0.0 ? fabs(m.before) / both : 0.0;
    double square = 0.0;
    for (int a = 0; a < s->dimension; a++) {
      y[a] = x[a] + when * (y[a] - x[a]);
      square += y[a] * y[a];
    }
    for (int a = 0; a < s->dimension; a++) y[a] *= wall / sqrt(square);
    return m.side;
  }
  if (m.after < 0.0) put_back(j, &m, wall, depth, x, y);
  return FEM_RD_STAYS;
}

/* Distances from the centre before and after the free step, and who may have met a wall. */
static void near_walls(const job *j, const fem_rd_block *b, double y[3][FEM_RD_BLOCK],
                       double *restrict before, double *restrict after, uint8_t *restrict near) {
  const fem_rd_shell *s = j->shell;
  const double reach = FEM_RD_REACH * 0.5 * j->stride.spread * j->stride.spread;
  const double low = s->inner_kind == FEM_RD_REFLECTING ? 0.0 : reach;
  const double high = s->outer_kind == FEM_RD_REFLECTING ? 0.0 : reach;
  const double inner = s->inner > 0.0 ? s->inner : -INFINITY, outer = s->outer;
  for (int i = 0; i < FEM_RD_BLOCK; i++) before[i] = after[i] = 0.0;
  for (int a = 0; a < j->stride.dimension; a++) {
    const double centre = s->centre[a], *x = b->x[a], *end = y[a];
#pragma omp simd
    for (int i = 0; i < FEM_RD_BLOCK; i++) {
      before[i] += (x[i] - centre) * (x[i] - centre);
      after[i] += (end[i] - centre) * (end[i] - centre);
    }
  }
#pragma omp simd
  for (int i = 0; i < FEM_RD_BLOCK; i++) {
    before[i] = sqrt(before[i]), after[i] = sqrt(after[i]);
    near[i] = (after[i] < inner) | (after[i] > outer) |
              ((before[i] - inner) * (after[i] - inner) < low) |
              ((outer - before[i]) * (outer - after[i]) < high);
  }
}

static __attribute__((noinline)) void advance(const void *given, const fem_rd_block *b,
                                              int8_t *through) {
  const job *j = given;
  const fem_rd_stride *s = &j->stride;
  float normals[4][FEM_RD_BLOCK];
  double y[3][FEM_RD_BLOCK], before[FEM_RD_BLOCK], after[FEM_RD_BLOCK];
  uint8_t near[FEM_RD_BLOCK];
  fem_rd_fetch_next(s->dimension, b);
  fem_rd_normals(s->key, s->step, FEM_RD_MOVE, 0, b->ids, s->dimension, normals);
  for (int a = 0; a < s->dimension; a++) fem_rd_free_step(s, b, a, normals[a], y[a]);
  near_walls(j, b, y, before, after, near);
  memset(through, FEM_RD_STAYS, FEM_RD_BLOCK);
  for (int i = 0; i < b->live; i++) {
    if (!near[i]) continue;
    double from[3], to[3];
    for (int a = 0; a < s->dimension; a++) {
      from[a] = b->x[a][i] - j->shell->centre[a];
      to[a] = y[a][i] - j->shell->centre[a];
    }
    through[i] = (int8_t)meet(j, b->ids[i], from, to, before[i], after[i]);
    for (int a = 0; a < s->dimension; a++) y[a][i] = j->shell->centre[a] + to[a];
  }
  for (int a = 0; a < s->dimension; a++) memcpy(b->x[a], y[a], sizeof y[a]);
}

int64_t fem_rd_move_shell(int dimension, int64_t count, int64_t stride, double *x,
                          const uint64_t *ids, uint64_t key, uint64_t step, double spread,
                          const double *shift, int64_t shift_stride, int64_t shift_each,
                          const fem_rd_shell *shell, int64_t *who, int32_t *wall) {
  const int takes = (shell->inner > 0.0 && shell->inner_kind != FEM_RD_REFLECTING) ||
                    shell->outer_kind != FEM_RD_REFLECTING;
  const job j = {{dimension, key, step, spread}, shell, takes};
  return fem_rd_blocks(dimension, count, stride, x, ids, shift, shift_stride, shift_each, advance,
                       &j, takes, who, wall);
}
