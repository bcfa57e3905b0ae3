/* Brownian steps from cell to cell. A step is a line; the facets of a cell say where it leaves it.
 *
 * A facet is left through only if the line falls towards it, and the planes of two cells that share
 * it differ in nothing but the sign: a path never turns back where it came in, and what rounding
 * does at edges and corners is put right by the next cell. A reflection mirrors the whole line.
 * Who is far from all walls does not walk, but goes to the end of the line at once; its cell is then
 * not known. Those who walk wait until they are many, and all go on by one cell at a time, while
 * memory fetches the next. */
#include "walk.h"

#include <stdlib.h>

#include "simplex.h"
#include "wall.h"
#include "walk_parts.h"

enum { TOGETHER = 3 * FEM_RD_BLOCK, MOST_CELLS = 100000, CROSSING_DRAWS = 16 };
enum { LOST = -2, STAYS = -1, UNKNOWN = -1 };
/* Distances of both ends of a step from a wall, multiplied, over spread^2: no wall takes the
 * particle where it is more than 7, but for one of a million. */
#define NEGLIGIBLE_PRODUCT 7.0
/* A path that met no wall touches none with more than so many exp(-x y/tau), x and y its distances
 * from it: 1 for bridges, 2 for partial absorption, more where the wall bends towards the path. */
#define MOST_TOUCHES 9.0

typedef struct {
  const fem_rd_mesh *mesh;
  const fem_rd_bins *bins;
  const fem_rd_mesh_walls *walls;
  const fem_rd_room *room;
  uint64_t key, step;
  double spread;
  double *x, *v;
  int64_t count, stride;
  int32_t *cell;
  const uint64_t *ids;
  const double *shift;
  int64_t shift_stride, shift_each;
  /* those who walk: lines from + t along, mirrored as often as they were reflected, 0 <= t <= 1 */
  int waiting;
  int64_t place[TOGETHER]; /* in the population */
  double begin[3][TOGETHER], free[3][TOGETHER]; /* both ends of the line before all reflections */
  double from[3][TOGETHER], along[3][TOGETHER];
  int32_t in[TOGETHER];   /* the cell */
  int32_t left[TOGETHER]; /* the facet through which the particle left, STAYS or LOST */
  int happened;           /* whether any left or is lost, or met a wall that may take it */
  int32_t decided[TOGETHER], crossed[TOGETHER], hits[TOGETHER];
  int64_t gone, *who, lost, lost_first;
  int32_t *facet;
} job;

/* The lines of a block of particles, if nothing is in the way. */
typedef struct {
  double from[3][FEM_RD_BLOCK], along[3][FEM_RD_BLOCK];
  int32_t walks[FEM_RD_BLOCK];
} lines;

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

FEM_RD_INLINE void mirror(job *j, int i, const double *plane, int dimension) {
  double height, change;
  rise(j, i, plane, dimension, &height, &change);
  for (int a = 0; a < dimension; a++) {
    j->from[a][i] -= 2.0 * height * plane[a];
    j->along[a][i] -= 2.0 * change * plane[a];
  }
  if (!j->v) return;
  double *v = j->v + j->place[i], towards = 0.0;
  for (int a = 0; a < dimension; a++) towards += plane[a] * v[a * j->stride];
  for (int a = 0; a < dimension; a++) v[a * j->stride] -= 2.0 * towards * plane[a];
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

/* The particle of place i met a facet of the boundary, facet ``out`` of its cell: whether it goes
 * on. */
static int meet(job *j, int i, int32_t here, int out, int dimension) {
  const fem_rd_mesh_walls *walls = j->walls;
  const int32_t f = -1 - j->mesh->next[8 * (int64_t)here + out];
  const int32_t wall = walls->takes ? walls->wall[f] : 0, kind = walls->kind[wall];
  double plane[4];
  for (int a = 0; a <= dimension; a++)
    plane[a] = j->mesh->planes[4 * ((int64_t)here * (dimension + 1) + a) + out];
  int taken = kind == FEM_RD_ABSORBING || kind == FEM_RD_ABSORBING_END;
  if (kind == FEM_RD_ABSORBING && has_rim(walls, f, dimension)) {
    j->crossed[i] = wall, j->happened = 1; /* or went around the rim: decided at its end */
    taken = 0;
  }
  if (kind == FEM_RD_ADSORBING || kind == FEM_RD_ADSORBING_END) {
    const uint32_t draw = (uint32_t)(CROSSING_DRAWS + j->hits[i]++);
    taken = fem_rd_wall_draw(j->key, j->step, j->ids[j->place[i]], draw) < walls->rate[wall];
    j->decided[i] = wall, j->happened = 1;
  }
  if (taken) leave(j, i, plane, f, dimension);
  else mirror(j, i, plane, dimension);
  return !taken;
}

/* The lines from x to where the particles go if nothing is in the way. */
FEM_RD_INLINE void set_out(const job *j, int64_t first, int live, int dimension, lines *l) {
  float normals[4][FEM_RD_BLOCK];
  uint64_t ids[FEM_RD_BLOCK];
  const double spread = j->spread;
  for (int i = 0; i < FEM_RD_BLOCK; i++) ids[i] = j->ids[first + (i < live ? i : 0)];
  if (spread > 0.0) fem_rd_normals(j->key, j->step, FEM_RD_MOVE, 0, ids, dimension, normals);
  for (int a = 0; a < dimension; a++) {
    double *restrict along = l->along[a];
    memcpy(l->from[a], j->x + a * j->stride + first, (size_t)live * sizeof(double));
    for (int i = 0; i < live; i++) along[i] = spread > 0.0 ? spread * (double)normals[a][i] : 0.0;
    if (!j->shift) continue;
    const double *shift = j->shift + a * j->shift_stride + first * j->shift_each;
    for (int i = 0; i < live; i++) along[i] += shift[i * j->shift_each];
  }
}

/* The box along an axis that x is in, or the nearest. */
FEM_RD_INLINE int32_t box_along(const fem_rd_room *room, int axis, double x) {
  const double scaled = (x - room->lower[axis]) * room->inverse[axis], last = room->n[axis] - 1;
  const double at = scaled < last ? scaled : last;
  return (int32_t)(at > 0.0 ? at : 0.0);
}

/* Who meets no wall, since balls about both ends of the line that no wall reaches into cover all of
 * it, and is taken by none: need not walk. */
FEM_RD_INLINE void look_ahead(const job *j, int live, int dimension, lines *l) {
  const fem_rd_room *room = j->room;
  const uint8_t *restrict free = room->free;
  const uint8_t *restrict felt = j->walls->start ? room->felt : NULL;
  const double unit = room->unit, reach = j->walls->reach;
  const double both = NEGLIGIBLE_PRODUCT * j->spread * j->spread;
  int32_t from[FEM_RD_BLOCK], to[FEM_RD_BLOCK];
  double square[FEM_RD_BLOCK];
  for (int a = 0, row = 1; a < dimension; row *= room->n[a++]) {
    const double *restrict x = l->from[a], *restrict d = l->along[a];
#pragma omp simd
    for (int i = 0; i < live; i++) {
      const int32_t begin = row * box_along(room, a, x[i]);
      const int32_t end = row * box_along(room, a, x[i] + d[i]);
      from[i] = a ? from[i] + begin : begin, to[i] = a ? to[i] + end : end;
      square[i] = a ? square[i] + d[i] * d[i] : d[i] * d[i];
    }
  }
  for (int i = 0; i < live; i++) {
    const int near = free[from[i]];
    const double cover = unit * (near + free[to[i]]);
    l->walks[i] = !((near > 0) & (square[i] < cover * cover));
  }
  for (int i = 0; felt && i < live; i++) {
    const double before = unit * felt[from[i]], after = unit * felt[to[i]];
    l->walks[i] |= !((before > reach) | (before * after > both));
  }
}

static void not_placed(job *j, int i, int dimension) {
  for (int a = 0; a < dimension; a++) j->from[a][i] = j->begin[a][i], j->along[a][i] = 0.0;
  j->in[i] = j->cell[j->place[i]];
  j->left[i] = LOST, j->happened = 1;
}

/* Looks up the cell of a particle that is not in the one it should be in. */
static int looked_up(job *j, int i, int dimension) {
  const double x[3] = {j->from[0][i], j->from[1][i], j->from[2][i]};
  const int32_t found = fem_rd_cell_of(j->mesh, j->bins, x);
  if (found < 0) not_placed(j, i, dimension);
  else j->cell[j->place[i]] = j->in[i] = found;
  return found >= 0;
}

/* Takes the particles that are under way on by one cell, or to the end of their step in it; returns
 * how many are still under way. At the beginning of a step their cell may be a wrong one. */
FEM_RD_INLINE int advance(job *j, int n, int dimension, int begins, int *active) {
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
      goes = looked_up(j, i, dimension);
      there = j->in[i];
    } else if (__builtin_expect(there < 0, 0)) {
      goes = meet(j, i, here, out, dimension);
      there = here;
    }
    j->in[i] = there;
    fetch_cell(mesh, dimension, there);
    active[going] = i;
    going += goes;
  }
  return going;
}

FEM_RD_INLINE void walk(job *j, int dimension) {
  int active[TOGETHER];
  int n = advance(j, j->waiting, dimension, 1, active);
  for (int cells = 0; n > 0 && cells < MOST_CELLS; cells++)
    n = advance(j, n, dimension, 0, active);
  for (int k = 0; k < n; k++) { /* turns around an edge for ever */
    const int i = active[k];
    double end[3] = {0.0, 0.0, 0.0};
    for (int a = 0; a < dimension; a++) end[a] = j->from[a][i] + j->along[a][i];
    j->in[i] = fem_rd_cell_of(j->mesh, j->bins, end);
    if (j->in[i] < 0) not_placed(j, i, dimension);
  }
}

/* A lower bound of the distance of x from all walls that take particles from afar. */
FEM_RD_INLINE double felt_at(const fem_rd_room *room, int dimension, const double *x) {
  int32_t box = 0, row = 1;
  for (int a = 0; a < dimension; row *= room->n[a++]) box += row * box_along(room, a, x[a]);
  return room->unit * room->felt[box];
}

/* From which product of its distances from a wall on no draw lets one take a particle. */
FEM_RD_INLINE double limit_of(const job *j, uint64_t id) {
  double least = 1.0;
  for (uint32_t group = 0; group < FEM_RD_MOST_GROUPS; group++)
    least = fmin(least, fem_rd_wall_draw(j->key, j->step, id, group));
  return 0.5 * j->spread * j->spread * log(MOST_TOUCHES / least);
}

/* Whether a wall near the path took the particle. */
FEM_RD_INLINE void come_near(job *j, int i, int dimension) {
  const int64_t place = j->place[i];
  fem_rd_passage p = {.key = j->key, .step = j->step, .id = j->ids[place],
                      .tau = 0.5 * j->spread * j->spread, .reach = j->walls->reach,
                      .cell = j->cell[place], .last = j->in[i],
                      .decided = j->decided[i], .crossed = j->crossed[i]};
  p.straight = 1;
  for (int a = 0; a < dimension; a++) {
    p.begin[a] = j->begin[a][i];
    p.end[a] = j->from[a][i] + j->along[a][i];
    p.free[a] = j->free[a][i];
    p.straight &= p.end[a] == p.free[a];
  }
  const double before = felt_at(j->room, dimension, p.begin);
  if (before > p.reach) return;
  if (p.straight) {
    const double after = felt_at(j->room, dimension, p.end);
    p.limit = limit_of(j, p.id);
    if (before * after > p.limit) return;
    if (after * p.reach > p.limit) p.reach = p.limit / after;
  }
  double at[3];
  const int32_t facet = fem_rd_near_walls(j->walls, dimension, &p, at);
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

/* All who wait walk. */
FEM_RD_INLINE void set_forth(job *j, int dimension) {
  const int32_t *start = j->walls->start;
  if (j->happened) nothing_yet(j);
  walk(j, dimension);
  for (int i = 0; i < j->waiting; i++) {
    const int64_t place = j->place[i];
    const int32_t from = j->cell[place];
    if (start && j->left[i] == STAYS && start[from] < start[from + 1]) come_near(j, i, dimension);
    for (int a = 0; a < dimension; a++) j->x[a * j->stride + place] = j->from[a][i] + j->along[a][i];
    j->cell[place] = j->in[i];
  }
  for (int i = 0; j->happened && i < j->waiting; i++) {
    const int32_t left = j->left[i];
    if (left == LOST && j->lost++ == 0) j->lost_first = j->place[i];
    if (left >= 0) j->who[j->gone] = j->place[i], j->facet[j->gone++] = left;
  }
  j->waiting = 0;
}

/* Who does not walk is where it goes; the others wait. */
FEM_RD_INLINE void block(job *j, int64_t first, int live, int dimension) {
  lines l;
  set_out(j, first, live, dimension, &l);
  look_ahead(j, live, dimension, &l);
  for (int a = 0; a < dimension; a++) {
    double *restrict x = j->x + a * j->stride + first;
    for (int i = 0; i < live; i++) x[i] = l.from[a][i] + l.along[a][i];
  }
  int chosen[FEM_RD_BLOCK], n = 0;
  for (int i = 0; i < live; i++) {
    chosen[n] = i;
    n += l.walks[i];
  }
  for (int k = 0; k < n; k++) {
    const int i = chosen[k], to = j->waiting + k;
    j->place[to] = first + i;
    j->in[to] = j->cell[first + i];
    fetch_cell(j->mesh, dimension, j->in[to]);
    for (int a = 0; a < dimension; a++) {
      j->begin[a][to] = j->from[a][to] = l.from[a][i];
      j->along[a][to] = l.along[a][i];
      j->free[a][to] = l.from[a][i] + l.along[a][i];
    }
  }
  int32_t *restrict cell = j->cell + first;
  for (int i = 0; i < live; i++) cell[i] = l.walks[i] ? cell[i] : UNKNOWN;
  j->waiting += n;
  if (j->waiting > TOGETHER - FEM_RD_BLOCK || first + live == j->count) set_forth(j, dimension);
}

int64_t fem_rd_walk(const fem_rd_mesh *mesh, const fem_rd_bins *bins,
                    const fem_rd_mesh_walls *walls, const fem_rd_room *room, int64_t count,
                    int64_t stride, double *x, double *v, int32_t *cell, const uint64_t *ids,
                    uint64_t key, uint64_t step, double spread, const double *shift,
                    int64_t shift_stride, int64_t shift_each, int64_t *who, int32_t *facet,
                    int64_t *lost, int64_t *lost_first) {
  job *j = calloc(1, sizeof *j);
  if (!j) return -1;
  j->mesh = mesh, j->bins = bins, j->walls = walls, j->room = room;
  j->key = key, j->step = step, j->spread = spread;
  j->count = count, j->stride = stride, j->x = x, j->v = v, j->cell = cell, j->ids = ids;
  j->shift = shift, j->shift_stride = shift_stride, j->shift_each = shift_each;
  j->who = who, j->facet = facet, j->happened = 1;
  for (int64_t first = 0; first < count; first += FEM_RD_BLOCK) {
    const int live = count - first < FEM_RD_BLOCK ? (int)(count - first) : FEM_RD_BLOCK;
    switch (mesh->dimension) {
      case 1: block(j, first, live, 1); break;
      case 2: block(j, first, live, 2); break;
      default: block(j, first, live, 3);
    }
  }
  const int64_t gone = j->gone;
  *lost = j->lost, *lost_first = j->lost_first;
  free(j);
  return gone;
}
