from fem_rd.expressions.functions import *  # noqa: F403
from fem_rd.expressions import functions as _m
globals().update({k: v for k, v in vars(_m).items() if not k.startswith("__")})
