/* Brownian steps from cell to cell. A step is a line; the facets of a cell say where it leaves it.
 *
 * A facet is left through only if the line falls towards it, and the planes of two cells that share
 * it differ in nothing but the sign: a path never turns back where it came in, and what rounding
 * does at edges and corners is put right by the next cell. A reflection mirrors the whole line.
 * All particles of a block go on by one cell at a time, while memory fetches the next. */
#include "walk.h"

#include <stdlib.h>

#include "simplex.h"
#include "wall.h"
#include "walk_parts.h"

enum { TOGETHER = 4 * FEM_RD_BLOCK, MOST_CELLS = 100000, CROSSING_DRAWS = 16 };
enum { LOST = -2, STAYS = -1 };

typedef struct {
  const fem_rd_mesh *mesh;
  const fem_rd_bins *bins;
  const fem_rd_mesh_walls *walls;
  uint64_t key, step;
  double spread;
  double *x;
  int64_t stride;
  int32_t *cell;
  const uint64_t *ids;
  const double *shift;
  int64_t shift_stride, shift_each;
  fem_rd_candidate *room;
  /* the lines of a block, x + t d, mirrored as often as they were reflected */
  double from[3][TOGETHER], along[3][TOGETHER];
  int32_t in[TOGETHER];   /* the cell */
  int32_t left[TOGETHER]; /* the facet through which the particle left, STAYS or LOST */
  int happened;           /* whether any left or is lost, or met a wall that may take it */
  int32_t decided[TOGETHER], crossed[TOGETHER], hits[TOGETHER];
} job;

FEM_RD_INLINE void fetch_cell(const fem_rd_mesh *mesh, int dimension, int32_t cell) {
  const char *planes = (const char *)(mesh->planes + 4 * (int64_t)cell * (dimension + 1));
  __builtin_prefetch(planes);
  if (dimension > 1) __builtin_prefetch(planes + 64);
  __builtin_prefetch(mesh->next + 8 * (int64_t)cell);
}

/* Of the facets towards which the line falls below 0 before its end, the first; 4 or more if there
 * is none. The number of a facet is put into the last bits of the time, and no branch depends on
 * it: where a particle goes is not to be foretold. */
FEM_RD_INLINE int way_out(fem_rd_lanes height, fem_rd_lanes change) {
  const fem_rd_lanes two = {2.0, 2.0, 2.0, 2.0};
  const fem_rd_masks never = (fem_rd_masks)two | 4, numbers = {0, 1, 2, 3};
  const fem_rd_masks leaves = (change < 0.0) & (height + change < 0.0);
  const fem_rd_masks when = (fem_rd_masks)(height / -change);
  const fem_rd_masks t = (leaves & when & ~7) | (~leaves & never) | numbers;
  const double first = fem_rd_least((fem_rd_lanes)t);
  int64_t bits;
  memcpy(&bits, &first, sizeof bits);
  return (int)(bits & 7);
}

/* How far the line of a particle begins above a plane, and how much it rises. */
FEM_RD_INLINE void rise(const job *j, int i, const double *plane, int dimension, double *height,
                        double *change) {
  *height = -plane[dimension], *change = 0.0;
  for (int a = 0; a < dimension; a++)
    *height += plane[a] * j->from[a][i], *change += plane[a] * j->along[a][i];
}

static void mirror(job *j, int i, const double *plane, int dimension) {
  double height, change;
  rise(j, i, plane, dimension, &height, &change);
  for (int a = 0; a < dimension; a++) {
    j->from[a][i] -= 2.0 * height * plane[a];
    j->along[a][i] -= 2.0 * change * plane[a];
  }
}

/* Puts the particle on the facet of the boundary that it leaves through. */
static void leave(job *j, int i, const double *plane, int32_t facet, int dimension) {
  double height, change;
  rise(j, i, plane, dimension, &height, &change);
  for (int a = 0; a < dimension; a++) {
    j->from[a][i] -= height / change * j->along[a][i];
    j->along[a][i] = 0.0;
  }
  j->left[i] = facet, j->happened = 1;
}

FEM_RD_INLINE int has_rim(const fem_rd_mesh_walls *walls, int32_t facet, int dimension) {
  int rim = 0;
  for (int k = 0; k < dimension; k++) rim |= walls->rim[dimension * facet + k];
  return rim;
}

/* The particle of place i met facet f of the boundary: whether it goes on. */
static int meet(job *j, int64_t first, int i, int32_t f, int dimension) {
  const fem_rd_mesh_walls *walls = j->walls;
  const int32_t wall = walls->wall[f], kind = walls->kind[wall];
  const double *plane = walls->planes + (int64_t)f * (dimension + 1);
  int taken = kind == FEM_RD_ABSORBING || kind == FEM_RD_ABSORBING_END;
  if (kind == FEM_RD_ABSORBING && has_rim(walls, f, dimension)) {
    j->crossed[i] = wall, j->happened = 1; /* or went around the rim: decided at its end */
    taken = 0;
  }
  if (kind == FEM_RD_ADSORBING || kind == FEM_RD_ADSORBING_END) {
    const uint32_t draw = (uint32_t)(CROSSING_DRAWS + j->hits[i]++);
    taken = fem_rd_wall_draw(j->key, j->step, j->ids[first + i], draw) < walls->rate[wall];
    j->decided[i] = wall, j->happened = 1;
  }
  if (taken) leave(j, i, plane, f, dimension);
  else mirror(j, i, plane, dimension);
  return !taken;
}

/* The lines from x to where the particles go if nothing is in the way; ``at``: the place in the
 * block of the first of at most FEM_RD_BLOCK particles. */
FEM_RD_INLINE void set_out(job *j, int64_t first, int at, int live, int dimension) {
  float normals[4][FEM_RD_BLOCK];
  uint64_t ids[FEM_RD_BLOCK];
  const double spread = j->spread;
  for (int i = 0; i < FEM_RD_BLOCK; i++) ids[i] = j->ids[first + (i < live ? i : 0)];
  memcpy(j->in + at, j->cell + first, (size_t)live * sizeof *j->in);
  for (int i = 0; i < live; i++) fetch_cell(j->mesh, dimension, j->in[at + i]);
  fem_rd_normals(j->key, j->step, FEM_RD_MOVE, 0, ids, dimension, normals);
  for (int a = 0; a < dimension; a++) {
    double *restrict along = j->along[a] + at;
    memcpy(j->from[a] + at, j->x + a * j->stride + first, (size_t)live * sizeof(double));
    for (int i = 0; i < live; i++) along[i] = spread * (double)normals[a][i];
    if (!j->shift) continue;
    const double *shift = j->shift + a * j->shift_stride + first * j->shift_each;
    for (int i = 0; i < live; i++) along[i] += shift[i * j->shift_each];
  }
}

static void not_placed(job *j, int64_t first, int i, int dimension) {
  for (int a = 0; a < dimension; a++) {
    j->from[a][i] = j->x[a * j->stride + first + i];
    j->along[a][i] = 0.0;
  }
  j->in[i] = j->cell[first + i];
  j->left[i] = LOST, j->happened = 1;
}

/* Looks up the cell of a particle that is not in the one it should be in. */
static int looked_up(job *j, int64_t first, int i, int dimension) {
  const double x[3] = {j->from[0][i], j->from[1][i], j->from[2][i]};
  const int32_t found = fem_rd_cell_of(j->mesh, j->bins, x);
  if (found < 0) not_placed(j, first, i, dimension);
  else j->cell[first + i] = j->in[i] = found;
  return found >= 0;
}

/* Takes the particles that are under way on by one cell, or to the end of their step in it; returns
 * how many are still under way. At the beginning of a step their cell may be a wrong one. */
FEM_RD_INLINE int advance(job *j, int64_t first, int n, int dimension, int begins, int *active) {
  const fem_rd_mesh *mesh = j->mesh;
  const fem_rd_lanes outside = {-mesh->tolerance, -mesh->tolerance, -mesh->tolerance,
                                -mesh->tolerance};
  int going = 0;
  for (int k = 0; k < n; k++) {
    const int i = begins ? k : active[k];
    const int32_t here = begins && (uint32_t)j->in[i] >= (uint32_t)mesh->cells ? 0 : j->in[i];
    const double x[3] = {j->from[0][i], j->from[1][i], j->from[2][i]};
    const double d[3] = {j->along[0][i], j->along[1][i], j->along[2][i]};
    fem_rd_lanes height, change;
    fem_rd_heights(mesh, dimension, here, x, d, &height, &change);
    const int out = way_out(height, change);
    int goes = (~out >> 2) & 1;
    int32_t there = mesh->next[8 * (int64_t)here + out];
    if (begins && __builtin_expect(!fem_rd_all(height >= outside), 0)) {
      goes = looked_up(j, first, i, dimension);
      there = j->in[i];
    } else if (__builtin_expect(there < 0, 0)) {
      goes = meet(j, first, i, -1 - there, dimension);
      there = here;
    }
    j->in[i] = there;
    fetch_cell(mesh, dimension, there);
    active[going] = i;
    going += goes;
  }
  return going;
}

FEM_RD_INLINE void walk(job *j, int64_t first, int live, int dimension) {
  int active[TOGETHER];
  int n = advance(j, first, live, dimension, 1, active);
  for (int cells = 0; n > 0 && cells < MOST_CELLS; cells++)
    n = advance(j, first, n, dimension, 0, active);
  for (int k = 0; k < n; k++) { /* turns around an edge for ever */
    const int i = active[k];
    double end[3] = {0.0, 0.0, 0.0};
    for (int a = 0; a < dimension; a++) end[a] = j->from[a][i] + j->along[a][i];
    j->in[i] = fem_rd_cell_of(j->mesh, j->bins, end);
    if (j->in[i] < 0) not_placed(j, first, i, dimension);
  }
}

/* Whether a wall near the path took the particle. */
static void come_near(job *j, int64_t first, int i, int dimension, const double *free) {
  fem_rd_passage p = {.key = j->key, .step = j->step, .id = j->ids[first + i],
                      .tau = 0.5 * j->spread * j->spread, .cell = j->cell[first + i],
                      .decided = j->decided[i], .crossed = j->crossed[i]};
  p.straight = 1;
  for (int a = 0; a < dimension; a++) {
    p.begin[a] = j->x[a * j->stride + first + i];
    p.end[a] = j->from[a][i] + j->along[a][i];
    p.free[a] = free[a];
    p.straight &= p.end[a] == p.free[a];
  }
  double at[3];
  const int32_t facet = fem_rd_near_walls(j->walls, dimension, &p, j->room, at);
  if (facet < 0) return;
  for (int a = 0; a < dimension; a++) j->from[a][i] = at[a], j->along[a][i] = 0.0;
  j->left[i] = facet, j->happened = 1;
  j->in[i] = j->walls->cell[facet];
}

static void nothing_yet(job *j) {
  memset(j->left, STAYS, sizeof j->left);
  memset(j->decided, -1, sizeof j->decided);
  memset(j->crossed, -1, sizeof j->crossed);
  memset(j->hits, 0, sizeof j->hits);
  j->happened = 0;
}

FEM_RD_INLINE void block(job *j, int64_t first, int live, int dimension) {
  double free[TOGETHER][3];
  const int32_t *start = j->walls->start;
  for (int at = 0; at < live; at += FEM_RD_BLOCK)
    set_out(j, first + at, at, live - at < FEM_RD_BLOCK ? live - at : FEM_RD_BLOCK, dimension);
  for (int i = 0; start && i < live; i++)
    for (int a = 0; a < dimension; a++) free[i][a] = j->from[a][i] + j->along[a][i];
  walk(j, first, live, dimension);
  for (int i = 0; start && i < live; i++) {
    const int32_t from = j->cell[first + i];
    if (j->left[i] == STAYS && start[from] < start[from + 1])
      come_near(j, first, i, dimension, free[i]);
  }
  for (int a = 0; a < dimension; a++)
    for (int i = 0; i < live; i++)
      j->x[a * j->stride + first + i] = j->from[a][i] + j->along[a][i];
  memcpy(j->cell + first, j->in, (size_t)live * sizeof *j->cell);
}

int64_t fem_rd_walk(const fem_rd_mesh *mesh, const fem_rd_bins *bins,
                    const fem_rd_mesh_walls *walls, int64_t count, int64_t stride, double *x,
                    int32_t *cell, const uint64_t *ids, uint64_t key, uint64_t step, double spread,
                    const double *shift, int64_t shift_stride, int64_t shift_each, int64_t *who,
                    int32_t *facet, int64_t *lost, int64_t *lost_first) {
  job *j = calloc(1, sizeof *j + (size_t)walls->most * sizeof(fem_rd_candidate));
  if (!j) return -1;
  *j = (job){.mesh = mesh, .bins = bins, .walls = walls, .key = key, .step = step,
             .spread = spread, .x = x, .stride = stride, .cell = cell, .ids = ids,
             .shift = shift, .shift_stride = shift_stride, .shift_each = shift_each,
             .room = (fem_rd_candidate *)(j + 1)};
  int64_t gone = 0;
  *lost = 0;
  j->happened = 1;
  for (int64_t first = 0; first < count; first += TOGETHER) {
    const int live = count - first < TOGETHER ? (int)(count - first) : TOGETHER;
    if (j->happened) nothing_yet(j);
    switch (mesh->dimension) {
      case 1: block(j, first, live, 1); break;
      case 2: block(j, first, live, 2); break;
      default: block(j, first, live, 3);
    }
    for (int i = 0; j->happened && i < live; i++) {
      const int32_t left = j->left[i];
      if (left == LOST && (*lost)++ == 0) *lost_first = first + i;
      if (left >= 0) who[gone] = first + i, facet[gone++] = left;
    }
  }
  free(j);
  return gone;
}
