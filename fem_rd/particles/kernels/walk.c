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

enum { LOST = -2, STAYS = -1, MOST_CELLS = 100000, CROSSING_DRAWS = 16 };

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
  fem_rd_flight flights[FEM_RD_BLOCK];
  int32_t decided[FEM_RD_BLOCK], crossed[FEM_RD_BLOCK], hits[FEM_RD_BLOCK];
} job;

FEM_RD_INLINE void fetch_cell(const fem_rd_mesh *mesh, int dimension, int32_t cell) {
  const char *planes = (const char *)(mesh->planes + 4 * (int64_t)cell * (dimension + 1));
  __builtin_prefetch(planes);
  if (dimension > 1) __builtin_prefetch(planes + 64);
  __builtin_prefetch(mesh->next + 4 * (int64_t)cell);
}

/* Of the facets towards which the line falls below 0 before its end, the first; -1: none. */
FEM_RD_INLINE int way_out(fem_rd_lanes height, fem_rd_lanes change) {
  const fem_rd_lanes none = {2.0, 2.0, 2.0, 2.0};
  const fem_rd_masks leaves = (change < 0.0) & (height + change < 0.0);
  const fem_rd_lanes when = height / -change;
  const fem_rd_lanes t = (fem_rd_lanes)((leaves & (fem_rd_masks)when) |
                                        (~leaves & (fem_rd_masks)none));
  const int low = t[1] < t[0], high = 2 + (t[3] < t[2]);
  const int first = t[high] < t[low] ? high : low;
  return t[first] < 1.5 ? first : -1;
}

FEM_RD_INLINE void mirror(fem_rd_flight *f, const double *plane, int dimension) {
  double height = -plane[dimension], change = 0.0;
  for (int a = 0; a < dimension; a++) height += plane[a] * f->x[a], change += plane[a] * f->d[a];
  for (int a = 0; a < dimension; a++)
    f->x[a] -= 2.0 * height * plane[a], f->d[a] -= 2.0 * change * plane[a];
}

/* Puts the particle on the facet of the boundary that it leaves through. */
FEM_RD_INLINE void leave(fem_rd_flight *f, const double *plane, int32_t facet, int dimension) {
  double height = -plane[dimension], change = 0.0;
  for (int a = 0; a < dimension; a++) height += plane[a] * f->x[a], change += plane[a] * f->d[a];
  for (int a = 0; a < dimension; a++) {
    f->x[a] -= height / change * f->d[a];
    f->d[a] = 0.0;
  }
  f->left = facet;
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
    j->crossed[i] = wall; /* the path may have gone around the rim: decided at its end */
    taken = 0;
  }
  if (kind == FEM_RD_ADSORBING || kind == FEM_RD_ADSORBING_END) {
    const uint32_t draw = (uint32_t)(CROSSING_DRAWS + j->hits[i]++);
    taken = fem_rd_wall_draw(j->key, j->step, j->ids[first + i], draw) < walls->rate[wall];
    j->decided[i] = wall;
  }
  if (taken) leave(j->flights + i, plane, f, dimension);
  else mirror(j->flights + i, plane, dimension);
  return !taken;
}

/* The lines of a block: from x to where the particles go if nothing is in the way. */
FEM_RD_INLINE void begin(job *j, int64_t first, int live, int dimension) {
  float normals[4][FEM_RD_BLOCK];
  uint64_t ids[FEM_RD_BLOCK];
  for (int i = 0; i < live; i++) fetch_cell(j->mesh, dimension, j->cell[first + i]);
  for (int i = 0; i < FEM_RD_BLOCK; i++) ids[i] = j->ids[first + (i < live ? i : 0)];
  fem_rd_normals(j->key, j->step, FEM_RD_MOVE, 0, ids, dimension, normals);
  for (int i = 0; i < live; i++) {
    fem_rd_flight *f = j->flights + i;
    for (int a = 0; a < dimension; a++) {
      const double drift =
          j->shift ? j->shift[a * j->shift_stride + (first + i) * j->shift_each] : 0.0;
      f->x[a] = j->x[a * j->stride + first + i];
      f->d[a] = drift + j->spread * (double)normals[a][i];
    }
    f->cell = j->cell[first + i];
    f->left = STAYS;
    j->decided[i] = j->crossed[i] = -1;
    j->hits[i] = 0;
  }
}

/* A particle whose cell is not known, or not where it is. */
static int looked_up(job *j, int64_t first, int i) {
  fem_rd_flight *f = j->flights + i;
  const int32_t found = fem_rd_cell_of(j->mesh, j->bins, f->x);
  if (found >= 0) j->cell[first + i] = f->cell = found;
  else f->left = LOST;
  return found >= 0;
}

/* Who may set out; most are in the cell that they were left in. */
FEM_RD_INLINE int ready(job *j, int64_t first, int live, int dimension, int *active) {
  int n = 0;
  for (int i = 0; i < live; i++) {
    const fem_rd_flight *f = j->flights + i;
    int there = f->cell >= 0 && f->cell < j->mesh->cells;
    if (there) {
      fem_rd_lanes height, change;
      fem_rd_heights(j->mesh, dimension, f->cell, f->x, f->d, &height, &change);
      there = fem_rd_least(height) >= -j->mesh->tolerance;
    }
    if (there || looked_up(j, first, i)) active[n++] = i;
  }
  return n;
}

FEM_RD_INLINE void walk(job *j, int64_t first, int n, int dimension, int *active) {
  const fem_rd_mesh *mesh = j->mesh;
  for (int cells = 0; n > 0 && cells < MOST_CELLS; cells++) {
    int going = 0;
    for (int k = 0; k < n; k++) {
      fem_rd_flight *f = j->flights + active[k];
      fem_rd_lanes height, change;
      fem_rd_heights(mesh, dimension, f->cell, f->x, f->d, &height, &change);
      const int out = way_out(height, change);
      const int32_t next = mesh->next[4 * (int64_t)f->cell + (out & 3)];
      int goes = out >= 0;
      if (goes && next < 0) goes = meet(j, first, active[k], -1 - next, dimension);
      else f->cell = goes ? next : f->cell;
      fetch_cell(mesh, dimension, f->cell);
      active[going] = active[k];
      going += goes;
    }
    n = going;
  }
  for (int k = 0; k < n; k++) { /* turns around an edge for ever */
    fem_rd_flight *f = j->flights + active[k];
    double end[3];
    for (int a = 0; a < dimension; a++) end[a] = f->x[a] + f->d[a];
    f->cell = fem_rd_cell_of(mesh, j->bins, end);
    f->left = f->cell < 0 ? LOST : STAYS;
  }
}

/* Whether a wall near the path took the particle. */
static void come_near(job *j, int64_t first, int i, int dimension, const double *free) {
  fem_rd_flight *f = j->flights + i;
  fem_rd_passage p = {.key = j->key, .step = j->step, .id = j->ids[first + i],
                      .tau = 0.5 * j->spread * j->spread, .cell = j->cell[first + i],
                      .decided = j->decided[i], .crossed = j->crossed[i]};
  for (int a = 0; a < dimension; a++) {
    p.begin[a] = j->x[a * j->stride + first + i];
    p.end[a] = f->x[a] + f->d[a];
    p.free[a] = free[a];
  }
  double at[3];
  const int32_t facet = fem_rd_near_walls(j->walls, dimension, &p, j->room, at);
  if (facet < 0) return;
  for (int a = 0; a < dimension; a++) f->x[a] = at[a], f->d[a] = 0.0;
  f->left = facet;
}

FEM_RD_INLINE void block(job *j, int64_t first, int live, int dimension) {
  int active[FEM_RD_BLOCK];
  double free[FEM_RD_BLOCK][3];
  const int32_t *start = j->walls->start;
  begin(j, first, live, dimension);
  for (int i = 0; start && i < live; i++)
    for (int a = 0; a < dimension; a++) free[i][a] = j->flights[i].x[a] + j->flights[i].d[a];
  walk(j, first, ready(j, first, live, dimension, active), dimension, active);
  for (int i = 0; i < live; i++) {
    fem_rd_flight *f = j->flights + i;
    const int32_t from = j->cell[first + i];
    if (f->left == LOST) continue;
    if (start && f->left == STAYS && start[from] < start[from + 1])
      come_near(j, first, i, dimension, free[i]);
    for (int a = 0; a < dimension; a++) j->x[a * j->stride + first + i] = f->x[a] + f->d[a];
    j->cell[first + i] = f->cell;
  }
}

int64_t fem_rd_walk(const fem_rd_mesh *mesh, const fem_rd_bins *bins,
                    const fem_rd_mesh_walls *walls, int64_t count, int64_t stride, double *x,
                    int32_t *cell, const uint64_t *ids, uint64_t key, uint64_t step, double spread,
                    const double *shift, int64_t shift_stride, int64_t shift_each, int64_t *who,
                    int32_t *facet, int64_t *lost, int64_t *lost_first) {
  job *j = malloc(sizeof *j + (size_t)walls->most * sizeof(fem_rd_candidate));
  if (!j) return -1;
  *j = (job){.mesh = mesh, .bins = bins, .walls = walls, .key = key, .step = step,
             .spread = spread, .x = x, .stride = stride, .cell = cell, .ids = ids,
             .shift = shift, .shift_stride = shift_stride, .shift_each = shift_each,
             .room = (fem_rd_candidate *)(j + 1)};
  int64_t gone = 0;
  *lost = 0;
  for (int64_t first = 0; first < count; first += FEM_RD_BLOCK) {
    const int live = count - first < FEM_RD_BLOCK ? (int)(count - first) : FEM_RD_BLOCK;
    switch (mesh->dimension) {
      case 1: block(j, first, live, 1); break;
      case 2: block(j, first, live, 2); break;
      default: block(j, first, live, 3);
    }
    for (int i = 0; i < live; i++) {
      const int32_t left = j->flights[i].left;
      if (left == LOST && (*lost)++ == 0) *lost_first = first + i;
      if (left >= 0) who[gone] = first + i, facet[gone++] = left;
    }
  }
  free(j);
  return gone;
}
