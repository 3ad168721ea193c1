"""A transformers classifier as a graph of ONNX Runtime, in float32 or with int8 weights."""

import os
import tempfile
from pathlib import Path


def session(model, tokens, precision):
    """ONNX Runtime's session of a classifier: `logits` and, of all word pieces, `hidden`.

    Args:
        model: Of transformers, on PyTorch, with `attn_implementation="eager"`.
        tokens: A batch of what it reads, by input name.
        precision: "float32", or "int8" for weights in int8 and activations that are made so at
            each request (dynamic quantization).
    """
    import onnxruntime

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "float32.onnx"
        _export(model, tokens, file)
        if precision == "int8":
            file = _quantized(file)
        options = onnxruntime.SessionOptions()
        # As TensorFlow and PyTorch; its own default counts physical cores.
        options.intra_op_num_threads = len(os.sched_getaffinity(0))
        return onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])


def _export(model, tokens, file):
    """Trace the graph, for batches of all sizes and lengths.

    The exporter is PyTorch's earlier one, and attention is written out: ONNX Runtime takes longer
    for what the later exporter writes, and for what either writes of fused attention.
    """
    import torch

    class Answers(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.model = model  # here its weights are found

        def forward(self, *inputs):
            named = dict(zip(tokens, inputs, strict=True))
            answers = self.model(**named, output_hidden_states=True)
            return answers.logits, answers.hidden_states[-1]

    torch.onnx.export(
        Answers().eval(),
        tuple(tokens.values()),
        file,
        input_names=list(tokens),
        output_names=["logits", "hidden"],
        dynamic_axes={name: {0: "texts", 1: "pieces"} for name in (*tokens, "hidden")}
        | {"logits": {0: "texts"}},
        dynamo=False,
    )


def _quantized(file):
    from onnxruntime.quantization import quantize_dynamic

    smaller = file.with_name("int8.onnx")
    # A scale for each column of a matrix: as fast as one for all, and nearer to float32.
    quantize_dynamic(file, smaller, per_channel=True)
    return smaller
