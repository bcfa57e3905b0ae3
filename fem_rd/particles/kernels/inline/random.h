/* Counter-based random numbers: Philox4x32 (Salmon, Moraes, Dror and Shaw 2011) with 7 rounds.
 *
 * Every number is a function of key (seed and replica), step, particle, purpose and draw, and of
 * nothing else: neither of the order of particles nor of ranks or threads.
 * Normals are in single precision by Box and Muller from 32-bit uniforms, which end at 6.7
 * standard deviations; loops over FEM_RD_BLOCK of them vectorise. */
#ifndef FEM_RD_RANDOM_H
#define FEM_RD_RANDOM_H
#include <math.h>
#include <stdint.h>
#include <string.h>

#define FEM_RD_ROUNDS 7
#define FEM_RD_BLOCK 256
#define FEM_RD_INLINE static inline __attribute__((always_inline))

enum { FEM_RD_MOVE = 0, FEM_RD_WALL = 1 }; /* Purpose in random.py has them all */

typedef struct {
  uint32_t w[4];
} fem_rd_words;

FEM_RD_INLINE fem_rd_words fem_rd_rounds(fem_rd_words c, uint32_t key0, uint32_t key1, int rounds) {
  for (int round = 0; round < rounds; round++) {
    const uint64_t a = (uint64_t)0xD2511F53u * c.w[0], b = (uint64_t)0xCD9E8D57u * c.w[2];
    const fem_rd_words next = {{(uint32_t)(b >> 32) ^ c.w[1] ^ key0, (uint32_t)b,
                                (uint32_t)(a >> 32) ^ c.w[3] ^ key1, (uint32_t)a}};
    c = next;
    key0 += 0x9E3779B9u;
    key1 += 0xBB67AE85u;
  }
  return c;
}

/* Four words of 32 random bits. Steps are below 2^48; purpose and draw below 256. */
FEM_RD_INLINE fem_rd_words fem_rd_philox(uint64_t key, uint64_t step, uint64_t particle,
                                         uint32_t purpose, uint32_t draw) {
  const fem_rd_words counter = {{(uint32_t)particle, (uint32_t)(particle >> 32), (uint32_t)step,
                                 (uint32_t)(step >> 32) << 16 | purpose << 8 | draw}};
  return fem_rd_rounds(counter, (uint32_t)key, (uint32_t)(key >> 32), FEM_RD_ROUNDS);
}

/* A number strictly between 0 and 1 from two words; steps of 2^-53. */
FEM_RD_INLINE double fem_rd_uniform(uint32_t high, uint32_t low) {
  const uint64_t bits = ((uint64_t)high << 32 | low) >> 12;
  return ((double)(int64_t)bits + 0.5) * 0x1p-52;
}

/* The radius of Box and Muller, sqrt(-2 ln u), of u = (word + 1/2) / 2^32. */
FEM_RD_INLINE float fem_rd_radius(uint32_t word) {
  const float u = (float)word * 0x1p-32f + 0x1p-33f;
  int32_t bits;
  memcpy(&bits, &u, 4);
  const int32_t exponent = (bits - 0x3f2aaaab) >> 23; /* u = m 2^exponent, 2/3 <= m < 4/3 */
  bits -= (int32_t)((uint32_t)exponent << 23);
  float m;
  memcpy(&m, &bits, 4);
  const float f = m - 1.0f;
  float p = 0.140873286f;
  p = p * f - 0.154031555f;
  p = p * f + 0.139807094f;
  p = p * f - 0.164127992f;
  p = p * f + 0.200124269f;
  p = p * f - 0.250080268f;
  p = p * f + 0.33333158f;
  p = p * f - 0.499999321f;
  p = p * f + 1.0f;
  const float square = -2.0f * ((float)exponent * 0.693147181f + p * f);
  return sqrtf(square > 0.0f ? square : 0.0f);
}

/* Cosine and sine of the angle of a word, 2^32 of them to a turn. */
FEM_RD_INLINE void fem_rd_turn(uint32_t word, float *cosine, float *sine) {
  const float y = (float)(int32_t)(word << 2) * 0x1p-32f; /* quarter turns, -1/2 <= y < 1/2 */
  const float z = y * y;
  const float s =
      y * (1.57079632f + z * (-0.645963478f + z * (0.0796802229f + z * -0.0046021631f)));
  const float c = 1.0f + z * (-1.23370054f +
                              z * (0.253669204f + z * (-0.0208600704f + z * 0.000903629885f)));
  const uint32_t quarter = word >> 30;
  const float along = quarter & 1 ? s : c, across = quarter & 1 ? c : s;
  *cosine = (quarter + 1) & 2 ? -along : along;
  *sine = quarter & 2 ? -across : across;
}

/* As many independent standard normals as there are dimensions (up to 4) for each particle of a
 * block. The loops are as long as the block whatever the number of particles, so that a particle
 * gets the same bits at any place in any block. */
FEM_RD_INLINE void fem_rd_normals(uint64_t key, uint64_t step, uint32_t purpose, uint32_t draw,
                                  const uint64_t *restrict ids, int dimension,
                                  float normals[restrict][FEM_RD_BLOCK]) {
  uint32_t words[4][FEM_RD_BLOCK];
#pragma omp simd
  for (int i = 0; i < FEM_RD_BLOCK; i++) {
    const fem_rd_words w = fem_rd_philox(key, step, ids[i], purpose, draw);
    words[0][i] = w.w[0], words[1][i] = w.w[1], words[2][i] = w.w[2], words[3][i] = w.w[3];
  }
  for (int pair = 0; 2 * pair < dimension; pair++) {
    float *restrict first = normals[2 * pair];
    float *restrict second = normals[2 * pair + 1 < dimension ? 2 * pair + 1 : 3];
#pragma omp simd
    for (int i = 0; i < FEM_RD_BLOCK; i++) {
      float cosine, sine;
      const float radius = fem_rd_radius(words[2 * pair][i]);
      fem_rd_turn(words[2 * pair + 1][i], &cosine, &sine);
      first[i] = radius * cosine;
      second[i] = radius * sine;
    }
  }
}
#endif
