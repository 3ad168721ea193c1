"""What `pip install .` installs works far from the checkout."""

import json
import os
import shutil
import site
import subprocess
import sys
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """The folder of programs of an environment with a wheel of the checkout; the rest is ours."""
    folder = tmp_path_factory.mktemp("installed")
    source, environment = folder / "source", folder / "environment"
    ignored = shutil.ignore_patterns("__pycache__", "*.egg-info", "build", "runs")
    for name in ("app_zoo", "configs"):
        shutil.copytree(ROOT / name, source / name, ignore=ignored)
    # Not `runs`: a package of ours is called so.
    shutil.copytree(
        ROOT / "easymft", source / "easymft", ignore=shutil.ignore_patterns("__pycache__")
    )
    for name in ("setup.py", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
    options = ["--no-deps", "--no-build-isolation", "--no-index"]
    subprocess.run([*pip, "wheel", *options, "--wheel-dir", folder, source], check=True)
    (wheel,) = folder.glob("*.whl")
    venv.create(environment, symlinks=True)
    programs = environment / "bin"
    subprocess.run([*pip, "--python", programs / "python", "install", *options, wheel], check=True)
    (packages,) = environment.glob("lib/python*/site-packages")
    (packages / "others.pth").write_text("\n".join(site.getsitepackages()))
    return programs


def run(installed, folder, *words):
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    done = subprocess.run(
        [installed / words[0], *words[1:]],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.long
def test_recipes_and_their_schema_come_along(installed, tmp_path):
    listed = run(installed, tmp_path, "easymft", "--mode", "list")
    assert "\nmnli " in listed
    shown = run(installed, tmp_path, "python", "-m", "easymft", "--config=amazon", "--mode=render")
    assert json.loads(shown)["backbone"]["preset"].startswith("package:")
    code = "from easymft.config import shipped as s; print(*map(s.shipped_folder, s.FOLDERS))"
    folders = [Path(name) for name in run(installed, tmp_path, "python", "-c", code).split()]
    for folder in folders:
        assert folder.is_relative_to(installed.parent)
        for recipe in folder.glob("*.json"):
            assert (folder / json.loads(recipe.read_text())["$schema"]).is_file()
    assert list(tmp_path.iterdir()) == []


def test_every_module_and_data_file_comes_along(installed):
    (package,) = installed.parent.glob("lib/python*/site-packages/easymft")
    there = {str(path.relative_to(package)) for path in package.rglob("*") if path.is_file()}
    ours = {
        str(path.relative_to(ROOT / "easymft"))
        for path in (ROOT / "easymft").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and path.name != "README.md"
    }
    assert ours - there == set()
    assert {"app_zoo/amazon.json", "configs/kubernetes.yaml"} <= there


def test_help_of_the_command_teaches(installed, tmp_path):
    shown = run(installed, tmp_path, "easymft", "--help")
    assert "python -m easymft.run --config amazon" in shown
    assert "--dry_run" in shown
