"""Writes a tiny BERT with random weights as a preset in Keras format."""

import keras
import keras_hub

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
WORDS = ["the", "cafe", "good", "##ness", "!", *"abcdefghijklmnopqrstuvwxyz"]


def write_keras_bert(folder, positions=16):
    """One layer of width 8 over a few words and the letters; returns the folder's name."""
    keras.utils.set_random_seed(3)
    backbone = keras_hub.models.BertBackbone(
        vocabulary_size=len(SPECIAL) + len(WORDS),
        num_layers=1,
        num_heads=2,
        hidden_dim=8,
        intermediate_dim=16,
        max_sequence_length=positions,
        dropout=0.0,
    )
    # Far apart, so that one word tells classes apart within a few steps.
    table = backbone.token_embedding.embeddings
    table.assign(keras.random.normal(table.shape, seed=1))
    backbone.save_to_preset(str(folder))
    keras_hub.models.BertTokenizer([*SPECIAL, *WORDS], lowercase=True).save_to_preset(str(folder))
    return str(folder)
