"""Keras models of the methods, their encoder, metrics and optimizer."""

from easymft.models.adapted_text_classifier import AdaptedTextClassifier
from easymft.models.adversarial_text_classifier import AdversarialTextClassifier
from easymft.models.backbone import encoder, load_backbone
from easymft.models.cpu_kernels import use_cpu_kernels
from easymft.models.masked_language_model import MaskedLanguageModel
from easymft.models.metrics import DomainMetrics
from easymft.models.mft_text_classifier import MFTTextClassifier
from easymft.models.multi_task_text_classifier import MultiTaskTextClassifier
from easymft.models.optimizer import WarmupLinearDecay, adamw
from easymft.models.text_classifier import TextClassifier
from easymft.models.text_embedder import TextEmbedder
from easymft.models.tokenizer import load_preprocessor

__all__ = [
    "AdaptedTextClassifier",
    "AdversarialTextClassifier",
    "DomainMetrics",
    "MFTTextClassifier",
    "MaskedLanguageModel",
    "MultiTaskTextClassifier",
    "TextClassifier",
    "TextEmbedder",
    "WarmupLinearDecay",
    "adamw",
    "encoder",
    "load_backbone",
    "load_preprocessor",
    "use_cpu_kernels",
]
