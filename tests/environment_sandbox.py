"""with-env among stand-ins: a copy of it whose tree is built and entered by programs that pretend.

The stand-ins come first in PATH: `mmdebstrap` makes an empty tree, `unshare` runs the command
without a namespace, others say what a test wants.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from types import ModuleType

REPOSITORY = Path(__file__).resolve().parents[1]
ENVIRONMENT = REPOSITORY / "environment"

MMDEBSTRAP = """\
echo "$@" >>"$LOG"
for target; do case $target in */debian) break ;; esac; done
{before}
mkdir -p "$target/usr/bin" "$target/etc/ssl/certs" "$target/var"
echo installed >"$target/etc/packages"
"""

UNSHARE = """\
while case ${1:-} in -*) ;; *) false ;; esac; do shift; done
case "$*" in
  mount*) exit ;;
  sh*overlay.sh*) shift 4 ;;
esac
exec "$@"
"""


@dataclass(frozen=True)
class Sandbox:
    """A copy of with-env with stand-ins for what builds and enters a tree."""

    root: Path

    @property
    def cache(self) -> Path:
        return self.root / "cache"

    @property
    def log(self) -> Path:
        return self.root / "log"

    def stand_in(self, name: str, text: str) -> None:
        path = self.root / "stand-ins" / name
        path.write_text(f"#!/bin/sh\n{text}")
        path.chmod(0o755)

    def builds_after(self, commands: str) -> None:
        self.stand_in("mmdebstrap", MMDEBSTRAP.format(before=commands))

    def start(self, *arguments: str, **variables: str) -> subprocess.Popen[str]:
        environment = {
            "PATH": f"{self.root / 'stand-ins'}:{os.environ['PATH']}",
            "HOME": str(self.root),
            "FEM_RD_CACHE": str(self.cache),
            "LOG": str(self.log),
            **variables,
        }
        return subprocess.Popen(
            [self.root / "with-env", *arguments],
            cwd=self.root,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        process = self.start(*arguments, **variables)
        out, err = process.communicate(timeout=60)
        return subprocess.CompletedProcess(arguments, process.returncode, out, err)

    def builds(self) -> int:
        return len(self.log.read_text().splitlines()) if self.log.exists() else 0

    def trees(self) -> list[str]:
        return sorted(path.parent.name for path in self.cache.glob("*/usr"))

    def leftovers(self) -> list[str]:
        return sorted(path.name for path in self.cache.glob("building.*"))


def copied_environment(root: Path) -> Sandbox:
    """with-env and environment/ in root, with every stand-in that a build needs."""
    made = Sandbox(root)
    shutil.copytree(ENVIRONMENT, root / "environment")
    shutil.copy(REPOSITORY / "with-env", root)
    (root / "stand-ins").mkdir()
    made.builds_after(":")
    made.stand_in("unshare", UNSHARE)
    made.stand_in("newuidmap", "")
    return made


def only_line(text: str) -> str:
    """The last line; nothing but the announcement of a build may come before it."""
    *before, last = text.strip().splitlines()
    assert all("building the tree" in line for line in before), text
    return last


def render_module() -> ModuleType:
    """environment/render, imported."""
    loader = SourceFileLoader("render", str(ENVIRONMENT / "render"))
    spec = spec_from_loader("render", loader)
    assert spec is not None
    module = module_from_spec(spec)
    sys.modules["render"] = module  # dataclasses look their module up
    loader.exec_module(module)
    return module
