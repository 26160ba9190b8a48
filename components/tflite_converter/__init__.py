"""Trained model to quantized TFLite variants with parity figures."""
