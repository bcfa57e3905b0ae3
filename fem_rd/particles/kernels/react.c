/* Reactions of molecules that do not move: exact, event by event, in the order of time.
 *
 * Every molecule has a clock for each reaction it can have alone, every pair within reach one for
 * each reaction of the two. Clocks are exponential and keyed by identities; the first that runs out
 * happens, and takes its reactants from all later events. Molecules made here get clocks of their
 * own for what is left of the time. */
#include "react.h"

#include <math.h>
#include <stdlib.h>

#include "random.h"
#include "reach.h"

static const uint64_t PLACING = 0x9E3779B97F4A7C15u; /* tells draws of places from draws of times */

uint64_t fem_rd_reaction_key(uint64_t key, uint64_t step, int purpose, int channel, int stage) {
  const fem_rd_words w =
      fem_rd_philox(key, step, (uint64_t)channel, (uint32_t)purpose, (uint32_t)stage);
  return (uint64_t)w.w[1] << 32 | w.w[0];
}

/* Identities are below 2^48. */
FEM_RD_INLINE fem_rd_words words_of(uint64_t key, uint64_t first, uint64_t second, int32_t draw) {
  const fem_rd_words counter = {{(uint32_t)first, (uint32_t)(first >> 32), (uint32_t)second,
                                 (uint32_t)(second >> 32) | (uint32_t)draw << 16}};
  return fem_rd_rounds(counter, (uint32_t)key, (uint32_t)(key >> 32), FEM_RD_ROUNDS);
}

/* ---- the heap of events ------------------------------------------------------------------ */

static inline int earlier(const fem_rd_event *a, const fem_rd_event *b) {
  if (a->time != b->time) return a->time < b->time;
  if (a->channel != b->channel) return a->channel < b->channel;
  if (a->first != b->first) return a->first < b->first;
  return a->second < b->second;
}

static void sink(fem_rd_event *heap, int64_t count, int64_t at) {
  const fem_rd_event moved = heap[at];
  for (int64_t child = 2 * at + 1; child < count; child = 2 * at + 1) {
    if (child + 1 < count && earlier(&heap[child + 1], &heap[child])) child++;
    if (!earlier(&heap[child], &moved)) break;
    heap[at] = heap[child];
    at = child;
  }
  heap[at] = moved;
}

static fem_rd_event pop(fem_rd_reacting *s) {
  const fem_rd_event next = s->events[0];
  s->events[0] = s->events[--s->n_events];
  if (s->n_events) sink(s->events, s->n_events, 0);
  return next;
}

static void *room(void *array, int64_t count, int64_t *size, size_t item) {
  if (count < *size) return array;
  const int64_t wanted = *size ? 2 * *size : 1024;
  void *larger = realloc(array, (size_t)wanted * item);
  if (larger) *size = wanted;
  return larger;
}

static void append(fem_rd_reacting *s, const fem_rd_event *event) {
  fem_rd_event *events = room(s->events, s->n_events, &s->room_events, sizeof *events);
  if (!events) {
    s->exhausted = 1;
    return;
  }
  s->events = events;
  events[s->n_events++] = *event;
}

static void push(fem_rd_reacting *s, const fem_rd_event *event) {
  append(s, event);
  if (s->exhausted) return;
  fem_rd_event *heap = s->events;
  int64_t at = s->n_events - 1;
  for (; at && earlier(event, &heap[(at - 1) / 2]); at = (at - 1) / 2) heap[at] = heap[(at - 1) / 2];
  heap[at] = *event;
}

/* ---- molecules ----------------------------------------------------------------------------- */

static inline uint64_t identity(const fem_rd_reacting *s, int32_t species, int32_t i) {
  return i < 0 ? s->newborns[-1 - i].id : s->molecules[species].ids[i];
}

static inline int there(const fem_rd_reacting *s, int32_t species, int32_t i) {
  return i < 0 ? s->newborns[-1 - i].alive : !s->molecules[species].gone[i];
}

static void position(const fem_rd_reacting *s, int32_t species, int32_t i, double *x) {
  const fem_rd_sorted *sorted = &s->molecules[species].sorted;
  for (int axis = 0; axis < s->cells.dimension; axis++)
    x[axis] = i < 0 ? s->newborns[-1 - i].x[axis] : sorted->x[axis * sorted->stride + i];
}

static int32_t mesh_cell(const fem_rd_reacting *s, int32_t species, int32_t i) {
  if (i < 0) return s->newborns[-1 - i].mesh;
  return s->molecules[species].mesh ? s->molecules[species].mesh[i] : -1;
}

static void take_away(const fem_rd_reacting *s, int32_t species, int32_t i) {
  if (i < 0)
    s->newborns[-1 - i].alive = 0;
  else
    s->molecules[species].gone[i] = 1;
}

/* ---- clocks -------------------------------------------------------------------------------- */

/* Two equal molecules have their roles by lot, so that products are placed without preference. */
static inline fem_rd_event pair_event(const fem_rd_channel *c, int32_t channel, double time,
                                      uint64_t first, uint64_t second, int32_t i, int32_t j,
                                      int32_t draw, uint32_t lot) {
  const int ordered = c->species[0] != c->species[1] || first < second;
  fem_rd_event event = {time, ordered ? first : second, ordered ? second : first,
                        ordered ? i : j, ordered ? j : i, channel, draw};
  if (c->species[0] == c->species[1] && lot & 1) {
    const int32_t swapped = event.i;
    event.i = event.j;
    event.j = swapped;
  }
  return event;
}

static void start_single(fem_rd_reacting *s, int32_t channel, int32_t i, double now, int32_t draw) {
  const fem_rd_channel *c = &s->channel[channel];
  double rate = c->rate;
  if (c->local) {
    double x[3] = {0, 0, 0};
    position(s, c->species[0], i, x);
    rate = s->rate(channel, x);
  }
  const uint64_t id = identity(s, c->species[0], i);
  const fem_rd_words w = words_of(c->key, id, 0, draw);
  const double time = now - log1p(-fem_rd_uniform(w.w[0], w.w[1])) / rate;
  if (!(time < s->duration)) return;
  const fem_rd_event event = {time, id, 0, i, 0, channel, draw};
  push(s, &event);
}

static void start_pair(fem_rd_reacting *s, int32_t channel, int32_t i, int32_t j, double now,
                       int32_t draw) {
  const fem_rd_channel *c = &s->channel[channel];
  uint64_t first = identity(s, c->species[0], i), second = identity(s, c->species[1], j);
  const int same = c->species[0] == c->species[1];
  const uint64_t low = same && second < first ? second : first;
  const fem_rd_words w = words_of(c->key, low, first ^ second ^ low, draw);
  const double time = now - log1p(-fem_rd_uniform(w.w[0], w.w[1])) / c->rate;
  if (!(time < s->duration)) return;
  const fem_rd_event event = pair_event(c, channel, time, first, second, i, j, draw, w.w[2]);
  push(s, &event);
}

void fem_rd_react_singles(fem_rd_reacting *s, int channel, const double *rates) {
  const fem_rd_channel *c = &s->channel[channel];
  const fem_rd_molecules *m = &s->molecules[c->species[0]];
  const double everywhere = -expm1(-c->rate * s->duration);
  double uniform[FEM_RD_BLOCK];
  uint64_t ids[FEM_RD_BLOCK] = {0};
  for (int64_t start = 0; start < m->sorted.count; start += FEM_RD_BLOCK) {
    const int64_t left = m->sorted.count - start;
    const int size = left < FEM_RD_BLOCK ? (int)left : FEM_RD_BLOCK;
    memcpy(ids, m->ids + start, (size_t)size * sizeof *ids);
#pragma omp simd
    for (int k = 0; k < FEM_RD_BLOCK; k++) {
      const fem_rd_words w = words_of(c->key, ids[k], 0, 0);
      uniform[k] = fem_rd_uniform(w.w[0], w.w[1]);
    }
    for (int k = 0; k < size; k++) {
      const double rate = rates ? rates[start + k] : c->rate;
      if (uniform[k] >= (rates ? -expm1(-rate * s->duration) : everywhere)) continue;
      const fem_rd_event event = {-log1p(-uniform[k]) / rate, ids[k], 0, (int32_t)(start + k), 0,
                                  channel, 0};
      append(s, &event);
    }
  }
}

void fem_rd_react_pairs(fem_rd_reacting *s, int channel, const int32_t *first,
                        const int32_t *second, int64_t count) {
  const fem_rd_channel *c = &s->channel[channel];
  const uint64_t *a = s->molecules[c->species[0]].ids, *b = s->molecules[c->species[1]].ids;
  const double probability = -expm1(-c->rate * s->duration);
  const int same = c->species[0] == c->species[1];
  for (int64_t k = 0; k < count; k++) {
    const uint64_t one = a[first[k]], two = b[second[k]];
    const uint64_t low = same && two < one ? two : one;
    const fem_rd_words w = words_of(c->key, low, one ^ two ^ low, 0);
    const double uniform = fem_rd_uniform(w.w[0], w.w[1]);
    if (uniform >= probability) continue;
    const fem_rd_event event = pair_event(c, channel, -log1p(-uniform) / c->rate, one, two,
                                          first[k], second[k], 0, w.w[2]);
    append(s, &event);
  }
}

void fem_rd_react_births(fem_rd_reacting *s, int channel, const double *times, int64_t begin,
                         int64_t end) {
  for (int64_t i = begin; i < end; i++) {
    const fem_rd_event event = {times[i], (uint64_t)i, 0, (int32_t)i, 0, channel, 0};
    append(s, &event);
  }
}

/* ---- what happens -------------------------------------------------------------------------- */

/* A uniform point of the ball around x, in the box of a periodic domain; 0 if outside the domain. */
static int place_in_ball(const fem_rd_reacting *s, const fem_rd_event *e, double *x) {
  const fem_rd_channel *c = &s->channel[e->channel];
  const fem_rd_words w = words_of(c->key ^ PLACING, e->first, e->second, e->draw);
  double u[3], away[3];
  for (int k = 0; k < 3; k++) u[k] = ((double)w.w[k] + 0.5) * 0x1p-32;
  const double turn = 2 * M_PI * u[1];
  if (s->cells.dimension == 1) {
    away[0] = c->radius * (2 * u[0] - 1);
  } else if (s->cells.dimension == 2) {
    away[0] = c->radius * sqrt(u[0]) * cos(turn);
    away[1] = c->radius * sqrt(u[0]) * sin(turn);
  } else {
    const double r = c->radius * cbrt(u[0]), height = 2 * u[2] - 1;
    away[0] = r * sqrt(1 - height * height) * cos(turn);
    away[1] = r * sqrt(1 - height * height) * sin(turn);
    away[2] = r * height;
  }
  for (int axis = 0; axis < s->cells.dimension; axis++) {
    const double length = s->cells.length[axis], lower = s->cells.lower[axis];
    double from = x[axis] + away[axis] - lower;
    if (s->cells.periodic[axis]) from -= floor(from / length) * length;
    if (!(from >= 0 && from <= length)) return 0;
    x[axis] = lower + from;
  }
  return !s->contains || s->contains(x);
}

static void meet(fem_rd_reacting *s, int32_t self, int32_t channel, int role, double now) {
  const fem_rd_channel *c = &s->channel[channel];
  const fem_rd_molecules *m = &s->molecules[c->species[1 - role]];
  const int32_t me = -1 - self;
  double here[3] = {0, 0, 0};
  position(s, 0, me, here);
  fem_rd_run runs[FEM_RD_RUNS];
  const int number = fem_rd_reach(&s->cells, s->cells.dimension, here, c->radius, runs);
  for (int r = 0; r < number; r++) {
    double seen[3], other[3];
    for (int axis = 0; axis < 3; axis++) seen[axis] = here[axis] - runs[r].shift[axis];
    for (int64_t cell = runs[r].begin; cell < runs[r].end; cell++) {
      int32_t j = m->sorted.start[cell], newborn = m->head[cell];
      while (j < m->sorted.start[cell + 1] || newborn >= 0) {
        int32_t who = j++;
        if (who >= m->sorted.start[cell + 1]) {
          who = -1 - newborn;
          newborn = s->newborns[newborn].next;
        }
        if (!there(s, c->species[1 - role], who)) continue;
        position(s, c->species[1 - role], who, other);
        double distance = 0;
        for (int axis = 0; axis < s->cells.dimension; axis++)
          distance += (other[axis] - seen[axis]) * (other[axis] - seen[axis]);
        if (distance > c->radius * c->radius) continue;
        if (role)
          start_pair(s, channel, who, me, now, 0);
        else
          start_pair(s, channel, me, who, now, 0);
      }
    }
  }
}

static void give_birth(fem_rd_reacting *s, int32_t species, const double *x, int32_t mesh,
                       double now) {
  fem_rd_newborn *newborns = room(s->newborns, s->n_newborns, &s->room_newborns, sizeof *newborns);
  if (!newborns) {
    s->exhausted = 1;
    return;
  }
  s->newborns = newborns;
  const int32_t self = (int32_t)s->n_newborns++;
  fem_rd_newborn *new = &newborns[self];
  *new = (fem_rd_newborn){{x[0], x[1], x[2]}, s->next_id++, species, 1, mesh, -1, -1};
  for (int32_t channel = 0; channel < s->channels && !s->exhausted; channel++) {
    const fem_rd_channel *c = &s->channel[channel];
    if (c->order == 1 && c->species[0] == species) start_single(s, channel, -1 - self, now, 0);
    if (c->order == 2 && c->species[0] == species) meet(s, self, channel, 0, now);
    if (c->order == 2 && c->species[1] == species && c->species[0] != species)
      meet(s, self, channel, 1, now);
  }
  int32_t *head = s->molecules[species].head;
  if (!head) return;
  fem_rd_cells_of(&s->cells, new->x, 1, 1, &new->cell);
  new->next = head[new->cell];
  head[new->cell] = self;
}

static void begin_again(fem_rd_reacting *s, const fem_rd_event *e) {
  const fem_rd_channel *c = &s->channel[e->channel];
  if (c->order == 1) start_single(s, e->channel, e->i, e->time, e->draw + 1);
  if (c->order == 2) start_pair(s, e->channel, e->i, e->j, e->time, e->draw + 1);
}

static void happen(fem_rd_reacting *s, const fem_rd_event *e) {
  const fem_rd_channel *c = &s->channel[e->channel];
  const int32_t who[2] = {e->i, e->j};
  double place[3][3] = {{0}};
  int32_t mesh[3] = {-1, -1, -1};
  for (int m = 0; m < c->order; m++) {
    if (!there(s, c->species[m], who[m])) return;
    position(s, c->species[m], who[m], place[m]);
    mesh[m] = mesh_cell(s, c->species[m], who[m]);
  }
  if (!c->order)
    for (int axis = 0; axis < s->cells.dimension; axis++)
      place[0][axis] = s->births[axis * s->birth_stride + e->i];
  int apart = 0;
  for (int p = 0; p < c->products; p++) apart |= c->place[p] == 2;
  if (apart) {
    memcpy(place[2], place[0], sizeof place[2]);
    if (!place_in_ball(s, e, place[2])) { /* no room there: as if nothing had happened */
      begin_again(s, e);
      return;
    }
  }
  s->happened[e->channel]++;
  for (int m = 0; m < c->order; m++)
    if (!c->stays[m]) take_away(s, c->species[m], who[m]);
  for (int p = 0; p < c->products && !s->exhausted; p++)
    give_birth(s, c->product[p], place[c->place[p]], mesh[c->place[p]], e->time);
  if (c->stays[0] && (c->order < 2 || c->stays[1])) begin_again(s, e);
}

void fem_rd_react(fem_rd_reacting *s) {
  for (int64_t at = s->n_events / 2; at-- > 0;) sink(s->events, s->n_events, at);
  while (s->n_events && !s->exhausted) {
    const fem_rd_event next = pop(s);
    happen(s, &next);
  }
  for (int64_t k = 0; k < s->n_newborns; k++) /* leave the heads as they were */
    if (s->newborns[k].cell >= 0) s->molecules[s->newborns[k].species].head[s->newborns[k].cell] = -1;
}

int64_t fem_rd_react_born(const fem_rd_reacting *s, int species, int64_t stride, double *x,
                          uint64_t *ids, int32_t *mesh) {
  int64_t found = 0;
  for (int64_t k = 0; k < s->n_newborns; k++) {
    const fem_rd_newborn *born = &s->newborns[k];
    if (born->species != species || !born->alive) continue;
    if (x) {
      for (int axis = 0; axis < s->cells.dimension; axis++) x[axis * stride + found] = born->x[axis];
      ids[found] = born->id;
      mesh[found] = born->mesh;
    }
    found++;
  }
  return found;
}

void fem_rd_react_free(fem_rd_reacting *s) {
  free(s->events);
  free(s->newborns);
  s->events = 0;
  s->newborns = 0;
  s->n_events = s->room_events = s->n_newborns = s->room_newborns = 0;
}
