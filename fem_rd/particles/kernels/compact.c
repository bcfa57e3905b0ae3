#include "compact.h"

#include <string.h>

void fem_rd_compact(char *row, int64_t item, int64_t count, const int64_t *gone, int64_t n_gone) {
  for (int64_t k = 0; k < n_gone; k++) {
    const int64_t from = gone[k] + 1, to = k + 1 < n_gone ? gone[k + 1] : count;
    memmove(row + (from - k - 1) * item, row + from * item, (size_t)((to - from) * item));
  }
}
