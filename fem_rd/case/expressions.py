from fem_rd.expressions import expression as _m
from fem_rd.expressions.expression import *  # noqa: F403

globals().update({k: v for k, v in vars(_m).items() if not k.startswith("__")})
