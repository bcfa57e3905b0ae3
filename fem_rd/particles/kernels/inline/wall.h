/* What a plane wall does to a particle that went from x to y: distances from the wall, inside
 * positive. ``tau`` is D dt. The kinds are those of walls.py. */
#ifndef FEM_RD_WALL_H
#define FEM_RD_WALL_H
#include <math.h>
#include <stdint.h>

enum {
  FEM_RD_REFLECTING = 0,
  FEM_RD_ABSORBING = 1,      /* with the Brownian bridge */
  FEM_RD_ABSORBING_END = 2,  /* seen at the end of the step only */
  FEM_RD_PERIODIC = 3,
  FEM_RD_ELASTIC = 4,        /* exact: killed by local time; rate is kappa/D */
  FEM_RD_ADSORBING = 5,      /* bridge, then with probability rate */
  FEM_RD_ADSORBING_END = 6,  /* end of step, then with probability rate */
};

/* Beyond this x y / tau a wall is left out: of 1e11 paths there one would have touched it. */
#define FEM_RD_REACH 25.0

/* exp(q^2) erfc(q), also where the factors leave the range of doubles. */
static inline double fem_rd_erfcx(double q) {
  if (q < 20.0) return exp(q * q) * erfc(q);
  const double z = 1.0 / (2.0 * q * q);
  return (1.0 - z * (1.0 - 3.0 * z * (1.0 - 5.0 * z * (1.0 - 7.0 * z)))) / (q * 1.7724538509055160);
}

/* Whether the bridge from x to y touched the wall. */
static inline double fem_rd_touched(double x, double y, double tau) {
  return x > 0.0 && y > 0.0 ? exp(-x * y / tau) : 1.0;
}

/* How far a reflecting wall pushes the path from x to y (Skorokhod): to x' = y + push it is the exact
 * reflected path for any constant drift. -push is the least of the bridge, drawn by u. */
static inline double fem_rd_push(double x, double y, double tau, double u) {
  const double least = 0.5 * (x + y - sqrt((x - y) * (x - y) - 4.0 * tau * log(u)));
  return least < 0.0 ? -least : 0.0;
}

/* The probability that the wall takes a particle that, if not taken, ends at |y|.
 * Elastic: the part 1 - p/p0 that the propagator p of dp/dn = (bend + h) p lost against p0 of h = 0,
 *   p = g(x - y) + g(x + y) - k exp(-(x + y)^2/(4 tau)) X(k), k = bend + h,
 *   X(k) = exp(q^2) erfc(q), q = (x + y)/sqrt(4 tau) + k sqrt(tau),
 * where ``bend`` is 0 for a plane; round.c has it for spheres. */
static inline double fem_rd_taken(int32_t kind, double rate, double bend, double x, double y,
                                  double tau) {
  switch (kind) {
    case FEM_RD_ABSORBING: return fem_rd_touched(x, y, tau);
    case FEM_RD_ABSORBING_END: return y < 0.0;
    case FEM_RD_ADSORBING: return rate * fem_rd_touched(x, y, tau);
    case FEM_RD_ADSORBING_END: return y < 0.0 ? rate : 0.0;
    case FEM_RD_ELASTIC: {
      const double end = fabs(y), q = (x + end) / sqrt(4.0 * tau), root = sqrt(tau);
      const double scale = sqrt(4.0 * M_PI * tau), total = bend + rate;
      const double kept = bend == 0.0 ? 0.0 : scale * bend * fem_rd_erfcx(q + bend * root);
      const double lost = scale * total * fem_rd_erfcx(q + total * root) - kept;
      return lost / (1.0 + exp(x * end / tau) - kept);
    }
    default: return 0.0;
  }
}
#endif
