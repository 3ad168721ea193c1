"""Classifiers from presets, and as presets: keras-hub's folders, with what is ours beside."""

from pathlib import Path
from typing import Any, Self

import keras

from easymft import files
from easymft.devices.machine import precision_policy
from easymft.errors import InputError
from easymft.models.backbone import load_backbone, load_preprocessor
from easymft.models.presets import preset_errors, resolve_preset
from easymft.models.self_training_task import SelfTrainingTask
from easymft.models.sublayers import all_layers

FACTS, WEIGHTS = "easymft.json", "easymft.weights.h5"
MAX_LENGTH = 128  # word pieces, where nobody says how many


class PresetTask(SelfTrainingTask):
    """A classifier that is made of a preset, and can become one."""

    @classmethod
    def from_preset(
        cls,
        preset: str,
        num_classes: int | None = None,
        *,
        max_length: int | None = None,
        dtype: Any = None,
        **kwargs: Any,
    ) -> Self:
        """Build on a pre-trained encoder, with its tokenizer; or load what `save_to_preset` wrote.

        Args:
            preset: A keras-hub preset, `hf://...`, a local folder, or `package:NAME/FOLDER`.
            num_classes: Number of classes; by default that of `labels`. With neither the preset
                must be a whole classifier's.
            max_length: Word pieces kept of a text (pair); by default 128, or what the encoder has
                positions for.
            dtype: Keras dtype policy of the encoder; `"auto"`: mixed_bfloat16 where this device
                computes in it, as recipes do. `None` takes Keras' global one.
            **kwargs: Of the class; `num_domains` is by default the number of `domains`.

        Raises:
            InputError: The preset cannot be used; see `easymft.models.load_backbone`.
        """
        dtype = precision_policy(dtype) if dtype == "auto" else dtype
        if num_classes is None and kwargs.get("labels") is None:
            if max_length is not None or kwargs:
                message = "or `labels` must be given for a new classifier. Received: neither"
                raise InputError(message, field="num_classes")
            return _read(cls, preset, dtype)
        backbone = load_backbone(preset, dtype=dtype)
        if max_length is None:
            max_length = min(MAX_LENGTH, backbone.max_sequence_length)
        for count, names in (("num_classes", "labels"), ("num_domains", "domains")):
            if kwargs.get(names) is not None:
                kwargs.setdefault(count, len(kwargs[names]))
        if num_classes is not None:
            kwargs["num_classes"] = num_classes
        return cls(backbone, preprocessor=load_preprocessor(preset, max_length), **kwargs)

    def save_to_preset(self, folder: str | Path) -> None:
        """Write a folder that `from_preset` reads, here or, as to its encoder, in keras-hub.

        Raises:
            InputError: The model has no tokenizer, or the folder cannot be written.
        """
        _write(self, Path(folder).expanduser())


def _write(model: Any, folder: Path) -> None:
    """Write encoder and tokenizer as keras-hub's presets have them, and the classifier beside."""
    if model.preprocessor is None:
        message = "needs a model with a tokenizer, as `from_preset` makes it. Received: none"
        raise InputError(message, field="save_to_preset")
    config = model.get_config()
    del config["backbone"], config["preprocessor"]
    facts = {
        "class_name": keras.saving.get_registered_name(type(model)),
        "max_length": model.preprocessor.sequence_length,
        "config": config,
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        model.backbone.save_to_preset(str(folder))
        model.preprocessor.save_to_preset(str(folder))
        own = folder / WEIGHTS
        keras.saving.save_weights(model, own, objects_to_skip=all_layers(model.backbone))
        files.write_json(folder / FACTS, facts)
    except OSError as error:
        raise InputError(f"cannot be written ({error.strerror})", file=folder) from None


def _read(kind: type, preset: str, dtype: Any) -> Any:
    """Return the classifier that `_write` wrote, of `kind` or a class that is derived from it."""
    folder = Path(resolve_preset(preset))
    if not (folder / FACTS).is_file():
        message = "or `labels` must be given; the preset is an encoder's, not a classifier's"
        raise InputError(message, field="num_classes")
    with preset_errors(str(folder)):
        facts = files.read_json(folder / FACTS)
        saved = keras.saving.get_registered_object(facts["class_name"])
        if saved is None or not issubclass(saved, kind):
            raise InputError(f"holds a {facts['class_name']}, no {kind.__name__}", file=folder)
        backbone = load_backbone(str(folder), dtype=dtype)
        preprocessor = load_preprocessor(str(folder), facts["max_length"])
        model = saved(**facts["config"], backbone=backbone, preprocessor=preprocessor)
        own = folder / WEIGHTS
        keras.saving.load_weights(model, own, objects_to_skip=all_layers(backbone))
    return model
