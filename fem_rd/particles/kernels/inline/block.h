/* Free Brownian steps, block by block; what walls do comes from whoever includes this. */
#ifndef FEM_RD_BLOCK_H
#define FEM_RD_BLOCK_H
#include "random.h"

enum { FEM_RD_STAYS = -1 };

typedef struct {
  int dimension;
  uint64_t key, step;
  double spread; /* sqrt(2 D dt) */
} fem_rd_stride;

/* FEM_RD_BLOCK particles, of which the first ``live`` exist. */
typedef struct {
  const uint64_t *ids;
  double *x[3];
  const double *shift[3]; /* drift dt: one entry per particle, or NULL and the same for all */
  double constant[3];
  int live;
} fem_rd_block;

/* Moves one block; ``through`` is the wall by which each particle left, or FEM_RD_STAYS. */
typedef void (*fem_rd_advance)(const void *job, const fem_rd_block *block, int8_t *through);

/* Asks memory for the next block, so that it arrives while this one's normals are drawn. */
static inline void fem_rd_fetch_next(int dimension, const fem_rd_block *b) {
  for (int i = FEM_RD_BLOCK; i < 2 * FEM_RD_BLOCK; i += 8) { /* 64 bytes at a time */
    __builtin_prefetch(b->ids + i);
    for (int a = 0; a < dimension; a++) {
      __builtin_prefetch(b->x[a] + i, 1);
      if (b->shift[a]) __builtin_prefetch(b->shift[a] + i);
    }
  }
}

/* Where the particles go along axis a if nothing is in the way; y may be b->x[a]. */
FEM_RD_INLINE void fem_rd_free_step(const fem_rd_stride *s, const fem_rd_block *b, int a,
                                    const float *normal, double *y) {
  const double *x = b->x[a];
  const double spread = s->spread, constant = b->constant[a];
#pragma omp simd
  for (int i = 0; i < FEM_RD_BLOCK; i++) y[i] = x[i] + constant + spread * (double)normal[i];
  if (!b->shift[a]) return;
  const double *shift = b->shift[a];
#pragma omp simd
  for (int i = 0; i < FEM_RD_BLOCK; i++) y[i] += shift[i];
}

/* The last, incomplete block is filled with copies of its first particle. */
static inline void fem_rd_rest(int dimension, const fem_rd_block *b, fem_rd_advance advance,
                               const void *job, int8_t *through) {
  uint64_t ids[FEM_RD_BLOCK];
  double x[3][FEM_RD_BLOCK], shift[3][FEM_RD_BLOCK];
  fem_rd_block full = *b;
  full.ids = ids;
  for (int i = 0; i < FEM_RD_BLOCK; i++) {
    const int from = i < b->live ? i : 0;
    ids[i] = b->ids[from];
    for (int a = 0; a < dimension; a++) {
      x[a][i] = b->x[a][from];
      if (b->shift[a]) shift[a][i] = b->shift[a][from];
    }
  }
  for (int a = 0; a < dimension; a++) {
    full.x[a] = x[a];
    if (b->shift[a]) full.shift[a] = shift[a];
  }
  advance(job, &full, through);
  for (int a = 0; a < dimension; a++)
    memcpy(b->x[a], x[a], (size_t)b->live * sizeof(double));
}

/* Moves all particles; who left goes to ``who`` (ascending) and ``wall`` if walls take any. */
static inline int64_t fem_rd_blocks(int dimension, int64_t count, int64_t stride, double *x,
                                    const uint64_t *ids, const double *shift, int64_t shift_stride,
                                    int64_t shift_each, fem_rd_advance advance, const void *job,
                                    int takes, int64_t *who, int32_t *wall) {
  int8_t through[FEM_RD_BLOCK];
  int64_t gone = 0;
  for (int64_t first = 0; first < count; first += FEM_RD_BLOCK) {
    fem_rd_block b = {.ids = ids + first,
                      .live = count - first < FEM_RD_BLOCK ? (int)(count - first) : FEM_RD_BLOCK};
    for (int a = 0; a < dimension; a++) {
      b.x[a] = x + a * stride + first;
      if (shift && shift_each) b.shift[a] = shift + a * shift_stride + first;
      else if (shift) b.constant[a] = shift[a * shift_stride];
    }
    if (b.live == FEM_RD_BLOCK) advance(job, &b, through);
    else fem_rd_rest(dimension, &b, advance, job, through);
    for (int i = 0; takes && i < b.live; i++)
      if (through[i] != FEM_RD_STAYS) who[gone] = first + i, wall[gone++] = through[i];
  }
  return gone;
}
#endif
