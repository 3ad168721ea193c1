from setuptools import find_packages, setup

# All else is in pyproject.toml, which cannot say this: the recipes stand beside the package in a
# checkout, and inside it where it is installed.
setup(
    packages=[
        *find_packages(include=["easymft", "easymft.*"]),
        "easymft.app_zoo",
        "easymft.configs",
    ],
    package_dir={"easymft.app_zoo": "app_zoo", "easymft.configs": "configs"},
)
