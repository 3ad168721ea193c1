from pathlib import Path

from setuptools import find_packages, setup

setup(
    name="easymft",
    version="0.1.0",
    description="Meta fine-tuning for text classification over several domains, in Keras.",
    long_description=Path(__file__).with_name("README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    # The recipes stand beside the package in a checkout, and inside it where it is installed.
    packages=[
        *find_packages(include=["easymft", "easymft.*"]),
        "easymft.app_zoo",
        "easymft.configs",
    ],
    package_dir={"easymft.app_zoo": "app_zoo", "easymft.configs": "configs"},
    package_data={
        "easymft.app_zoo": ["*.json", "schema/*.json"],
        "easymft.configs": ["*.json", "*.sh", "*.yaml"],
        "easymft.data.sources": ["*.tsv"],
        "easymft.data.sample": ["LICENSE", "*.jsonl"],
        "easymft.export": ["*.json", "templates/*"],
        "easymft.report": ["templates/*"],
    },
    python_requires=">=3.11",
    install_requires=[
        "absl-py",
        "importlib_resources",  # tensorflow-datasets imports it and does not declare it
        "jinja2",
        "keras>=3.10",
        "keras-nlp>=0.21",
        "markupsafe",
        "matplotlib",
        "numpy",
        "pandas",
        "pyarrow",
        "pydantic>=2.7",
        "pyyaml",
        "safetensors",  # keras-hub reads Hugging Face folders with it and does not declare it
        "scikit-learn>=1.6",
        "scipy",
        "tensorboard",
        "tensorflow>=2.18",
        "tensorflow-datasets",
        "tensorflow-serving-api",  # small: the protos of warm-up requests
        "tensorflow-text>=2.18",
        "tqdm",
        "wrapt",
    ],
    extras_require={
        "beam": ["apache-beam"],
        "bench": ["accelerate", "torch", "transformers"],
        "fuzz": ["atheris"],
        "test": [
            "dill",
            "hypothesis",
            "jax",
            "jsonschema",
            "pytest",
            "ruff",
            "scikit-learn>=1.8",  # its estimator checks can be expected to fail
            "selenium",
        ],
    },
    entry_points={"console_scripts": ["easymft = easymft.run:cli"]},
)
