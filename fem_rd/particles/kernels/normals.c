#include "normals.h"
#include "random.h"

void fem_rd_philox_words(int64_t count, uint32_t *words, uint32_t key0, uint32_t key1, int rounds) {
  for (int64_t i = 0; i < count; i++) {
    fem_rd_words counter;
    memcpy(counter.w, words + 4 * i, sizeof counter.w);
    counter = fem_rd_rounds(counter, key0, key1, rounds);
    memcpy(words + 4 * i, counter.w, sizeof counter.w);
  }
}

void fem_rd_from_words(int64_t count, const uint32_t *words, float *normals, double *uniforms) {
  for (int64_t i = 0; i < count; i++) {
    float cosine, sine;
    const float radius = fem_rd_radius(words[2 * i]);
    fem_rd_turn(words[2 * i + 1], &cosine, &sine);
    normals[2 * i] = radius * cosine, normals[2 * i + 1] = radius * sine;
    uniforms[i] = fem_rd_uniform(words[2 * i], words[2 * i + 1]);
  }
}

/* One block; a particle that does not exist has the number 0. */
static __attribute__((noinline)) void draw(int dimension, const uint64_t *ids, uint64_t key,
                                           uint64_t step, uint32_t purpose,
                                           float normals[4][FEM_RD_BLOCK]) {
  fem_rd_normals(key, step, purpose, 0, ids, dimension, normals);
}

static int64_t left_of(int64_t count, int64_t first) {
  return count - first < FEM_RD_BLOCK ? count - first : FEM_RD_BLOCK;
}

void fem_rd_fill_normals(int dimension, int64_t count, int64_t stride, float *out,
                         const uint64_t *ids, uint64_t key, uint64_t step, int purpose) {
  float normals[4][FEM_RD_BLOCK];
  for (int64_t first = 0; first < count; first += FEM_RD_BLOCK) {
    const int64_t live = left_of(count, first);
    uint64_t block[FEM_RD_BLOCK] = {0};
    memcpy(block, ids + first, (size_t)live * sizeof *ids);
    draw(dimension, block, key, step, (uint32_t)purpose, normals);
    for (int a = 0; a < dimension; a++)
      memcpy(out + a * stride + first, normals[a], (size_t)live * sizeof(float));
  }
}

double fem_rd_sum_normals(int dimension, int64_t count, const uint64_t *ids, uint64_t key,
                          uint64_t step) {
  float normals[4][FEM_RD_BLOCK], sums[FEM_RD_BLOCK] = {0};
  for (int64_t first = 0; first + FEM_RD_BLOCK <= count; first += FEM_RD_BLOCK) {
    draw(dimension, ids + first, key, step, FEM_RD_MOVE, normals);
    for (int a = 0; a < dimension; a++)
      for (int i = 0; i < FEM_RD_BLOCK; i++) sums[i] += normals[a][i];
  }
  double sum = 0.0;
  for (int i = 0; i < FEM_RD_BLOCK; i++) sum += sums[i];
  return sum;
}

void fem_rd_fill_uniforms(int64_t count, double *out, const uint64_t *ids, uint64_t key,
                          uint64_t step, int purpose, int draw_number) {
  for (int64_t i = 0; i < count; i++) {
    const fem_rd_words w =
        fem_rd_philox(key, step, ids[i], (uint32_t)purpose, (uint32_t)draw_number);
    out[i] = fem_rd_uniform(w.w[0], w.w[1]);
  }
}
