"""Builds the Python agent: `build.py FOLDER`. Prints what it weighed before it was slimmed."""

import pathlib
import re
import shutil
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent

# What the application may have in another version. Ours get names of their own, so that neither meets the other's.
SHARED = ["asgiref", "importlib_metadata", "packaging", "typing_extensions", "wrapt", "zipp"]
FROM = re.compile(r"^(\s*from )(%s)(?=[ .])" % "|".join(SHARED), re.MULTILINE)
IMPORT = re.compile(r"^(\s*import )(%s)$" % "|".join(SHARED), re.MULTILINE)

EXPORTER = "opentelemetry/exporter"
ENVIRONMENT = "opentelemetry/sdk/environment_variables/__init__.py"


def main(folder):
    packages = folder / "packages"
    install(packages)
    print("before: %d bytes in %d files" % weight(packages))
    for name in ["sitecustomize.py", "_epiphyte_agent.py"]:
        shutil.copyfile(HERE / name, folder / name)
    serve_python_3_9(packages)
    slim(packages)
    rename_shared(packages)


def install(packages):
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--root-user-action=ignore"]
    # Pure Python alone, whichever Python builds. The exporter says that it wants 3.10; see serve_python_3_9.
    pure = ["--only-binary=:all:", "--implementation=py", "--abi=none", "--platform=any", "--python-version=3.9"]
    what = ["--require-hashes", "--no-deps", "--ignore-requires-python", "--requirement", HERE / "requirements.txt"]
    subprocess.run([*pip, *pure, *what, "--no-compile", "--target", packages], check=True)


def serve_python_3_9(packages):
    """The exporter is of a later line than what else serves 3.9: later annotations, and a variable that is new."""
    for file in (packages / EXPORTER).rglob("*.py"):
        text = file.read_text()
        if "from __future__" not in text:
            file.write_text("from __future__ import annotations  # added by Epiphyte\n" + text)
    name = "OTEL_PYTHON_SDK_INTERNAL_METRICS_ENABLED"
    with open(packages / ENVIRONMENT, "a") as file:
        file.write(f'\n{name} = "{name}"  # added by Epiphyte\n')


def slim(packages):
    """Programs, type stubs, C sources, tests: nothing that is imported."""
    shutil.rmtree(packages / "bin", ignore_errors=True)
    for file in sorted(packages.rglob("*")):
        if file.suffix in {".pyi", ".c", ".typed"} or file.name in {"RECORD", "INSTALLER", "REQUESTED", "WHEEL"}:
            file.unlink()
        elif file.name == "tests" and file.is_dir():
            shutil.rmtree(file)


def rename_shared(packages):
    for info in packages.glob("*.dist-info"):
        # Nobody is to believe that these are installed; only their licences stay.
        if info.name.partition("-")[0] in SHARED:
            (info / "METADATA").unlink()
            info.rename(info.with_suffix(".licence"))
    for file in packages.rglob("*.py"):
        text = file.read_text()
        new = IMPORT.sub(r"\1_epiphyte_\2 as \2", FROM.sub(r"\1_epiphyte_\2", text))
        if new != text:
            file.write_text(new)
    for name in SHARED:
        for path in [packages / name, packages / (name + ".py")]:
            if path.exists():
                path.rename(path.with_name("_epiphyte_" + path.name))


def weight(folder):
    files = [file for file in folder.rglob("*") if file.is_file()]
    return sum(file.stat().st_size for file in files), len(files)


main(pathlib.Path(sys.argv[1]))
