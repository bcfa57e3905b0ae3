#pragma once
#include <stdint.h>
/* Philox4x32 of ``count`` counters of four words each, in place (tests and known answers). */
void fem_rd_philox_words(int64_t count, uint32_t *words, uint32_t key0, uint32_t key1, int rounds);
/* What is made of pairs of words: two normals, and a uniform number (tests and known answers). */
void fem_rd_from_words(int64_t count, const uint32_t *words, float *normals, double *uniforms);
/* Normals by particle, rows of ``stride`` for each dimension (1 to 4). */
void fem_rd_fill_normals(int dimension, int64_t count, int64_t stride, float *out,
                         const uint64_t *ids, uint64_t key, uint64_t step, int purpose);
/* The sum of the normals that a step of ``count`` particles needs, stored nowhere: the generator
   alone, for measurements. */
double fem_rd_sum_normals(int dimension, int64_t count, const uint64_t *ids, uint64_t key,
                          uint64_t step);
/* Uniform numbers in (0, 1), one per particle. */
void fem_rd_fill_uniforms(int64_t count, double *out, const uint64_t *ids, uint64_t key,
                          uint64_t step, int purpose, int draw);
