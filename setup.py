"""What pyproject.toml cannot say: meshes/ and cases/ are installed inside the package."""

from setuptools import find_packages, setup

setup(
    packages=[*find_packages(include=["fem_rd", "fem_rd.*"]), "fem_rd.meshes", "fem_rd.cases"],
    package_dir={"fem_rd.meshes": "meshes", "fem_rd.cases": "cases"},
    package_data={
        "fem_rd": ["**/*.j2", "particles/kernels/**/*.[ch]"],
        "fem_rd.meshes": ["*.geo", "*.md"],
        "fem_rd.cases": ["*/*.toml", "*/*.md", "*/*.geo", "*/*.msh"],
    },
)
