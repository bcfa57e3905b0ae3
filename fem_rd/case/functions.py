from fem_rd.expressions import functions as _m
from fem_rd.expressions.functions import *  # noqa: F403

globals().update({k: v for k, v in vars(_m).items() if not k.startswith("__")})
