"""Trains keras-hub's own BERT classifier as its documentation does: texts in, `fit`."""

from tests.benchmarks.worker import Times, serve, timed


def prepare(settings):
    import keras
    import keras_hub
    import numpy as np
    import tensorflow as tf

    keras.config.set_dtype_policy(settings["precision"])
    texts, folder = settings["texts"], settings["folder"]
    model = keras_hub.models.BertTextClassifier(
        keras_hub.models.BertBackbone.from_preset(folder),
        num_classes=texts["num_classes"],
        preprocessor=keras_hub.models.BertTextClassifierPreprocessor.from_preset(
            folder, sequence_length=settings["length"]
        ),
    )
    model.compile(
        keras.optimizers.Adam(1e-5),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
        jit_compile=settings["jit_compile"],
    )
    second = texts["text_pair"]
    inputs = texts["text"] if second is None else (texts["text"], second)
    data = tf.data.Dataset.from_tensor_slices((inputs, np.array(texts["label"], "int32")))
    data = data.shuffle(len(texts["text"]), seed=1).batch(settings["batch"])

    def one_round() -> Times:
        return timed(settings["name"], lambda: model.fit(data, verbose=0))

    return one_round


if __name__ == "__main__":
    serve(prepare)
