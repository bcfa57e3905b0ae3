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

/* Beyond this, exp(-x y / tau) is less than any uniform number drawn. */
#define FEM_RD_REACH 40.0

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

/* The probability that the wall takes a particle; otherwise it ends at |y|.
 * Elastic: the part 1 - p/p0 that the propagator p of dp/dn = h p lost against the reflecting p0,
 * h sqrt(4 pi tau) exp(q^2) erfc(q) / (1 + exp(x |y| / tau)), q = (x + |y|)/sqrt(4 tau) + h sqrt(tau).
 */
static inline double fem_rd_taken(int32_t kind, double rate, double x, double y, double tau) {
  switch (kind) {
    case FEM_RD_ABSORBING: return fem_rd_touched(x, y, tau);
    case FEM_RD_ABSORBING_END: return y < 0.0;
    case FEM_RD_ADSORBING: return rate * fem_rd_touched(x, y, tau);
    case FEM_RD_ADSORBING_END: return y < 0.0 ? rate : 0.0;
    case FEM_RD_ELASTIC: {
      const double end = fabs(y), q = (x + end) / sqrt(4.0 * tau) + rate * sqrt(tau);
      return rate * sqrt(4.0 * M_PI * tau) * fem_rd_erfcx(q) / (1.0 + exp(x * end / tau));
    }
    default: return 0.0;
  }
}
#endif
