"""Shapes: a small text-to-video model over drawn shapes, made with the code that loads the large ones."""
