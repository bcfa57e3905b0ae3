#pragma once
#include <stdint.h>

#include "cells.h"
#include "pairs.h"
/* The molecules of one species. Pairs: sorted by cell, and head[cell] its newest newborn or -1
   (both NULL where no reaction of pairs has the species). mesh: cells of a mesh, or NULL. */
typedef struct {
  fem_rd_sorted sorted;
  const uint64_t *ids;
  const int32_t *mesh;
  uint8_t *gone;
  int32_t *head;
} fem_rd_molecules;
/* A reaction. stays[m] != 0: reactant m is a product as well. New molecules: product[p] of species,
   place[p] 0 or 1 at that reactant, 2 in the ball of the radius around the first. rate: 1/time of
   each molecule or pair; local != 0: asked for at each place. */
typedef struct {
  int32_t order, local;
  int32_t species[2];
  int32_t stays[2];
  int32_t products;
  const int32_t *product;
  const int32_t *place;
  double rate;
  double radius;
  uint64_t key;
} fem_rd_channel;
/* A clock that runs out within the step. i, j: molecules as they were at its beginning, or
   newborns -1 - i; for order 0, i is the place of birth. */
typedef struct {
  double time;
  uint64_t first, second; /* identities, in an order that does not depend on that of molecules */
  int32_t i, j;
  int32_t channel, draw;
} fem_rd_event;
/* A molecule made in this step. mesh: -1 where it has to be looked for. */
typedef struct {
  double x[3];
  uint64_t id;
  int32_t species, alive, mesh, cell, next;
} fem_rd_newborn;
/* A stretch of time in which molecules react but do not move. */
typedef struct {
  fem_rd_cells cells;
  double duration;
  int32_t species, channels;
  const fem_rd_molecules *molecules;
  const fem_rd_channel *channel;
  const double *births; /* places of molecules made from nothing, axis * birth_stride + i */
  int64_t birth_stride;
  double (*rate)(int32_t channel, const double *x);
  int32_t (*contains)(const double *x); /* NULL: the domain is the box of the cells */
  uint64_t next_id;
  int64_t *happened; /* events of each channel */
  fem_rd_event *events;
  int64_t n_events, room_events;
  fem_rd_newborn *newborns;
  int64_t n_newborns, room_newborns;
  int32_t exhausted; /* memory */
} fem_rd_reacting;
/* The key of a reaction in one step: no two draws of a run share key and counter. */
uint64_t fem_rd_reaction_key(uint64_t key, uint64_t step, int purpose, int channel, int stage);
/* Start the clocks of all molecules, of pairs, and of births at given times. rates: by molecule,
   or NULL where all have that of the channel. */
void fem_rd_react_singles(fem_rd_reacting *state, int channel, const double *rates);
void fem_rd_react_pairs(fem_rd_reacting *state, int channel, const int32_t *first,
                        const int32_t *second, int64_t count);
void fem_rd_react_births(fem_rd_reacting *state, int channel, const double *times, int64_t begin,
                         int64_t end);
/* Let everything happen in the order of time, to the end of the stretch. */
void fem_rd_react(fem_rd_reacting *state);
/* Survivors among the newborns of a species; x[axis * stride + k]. Returns their number; without
   x only that. */
int64_t fem_rd_react_born(const fem_rd_reacting *state, int species, int64_t stride, double *x,
                          uint64_t *ids, int32_t *mesh);
void fem_rd_react_free(fem_rd_reacting *state);
