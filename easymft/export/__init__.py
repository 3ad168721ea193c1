"""Raw-text SavedModels, folders for TensorFlow Serving, prediction with them."""

from easymft.export.exporter import export_run
from easymft.export.predict import predict_file

__all__ = ["export_run", "predict_file"]
