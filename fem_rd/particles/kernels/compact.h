#pragma once
#include <stdint.h>
/* Takes the places ``gone`` (ascending) out of a row of ``count`` items; the rest keep their order. */
void fem_rd_compact(char *row, int64_t item, int64_t count, const int64_t *gone, int64_t n_gone);
