from fem_rd.expressions import grammar as _m
from fem_rd.expressions.grammar import *  # noqa: F403

globals().update({k: v for k, v in vars(_m).items() if not k.startswith("__")})
