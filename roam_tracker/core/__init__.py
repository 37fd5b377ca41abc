"""ROAM as the paper has it: tensors in, tensors out. Knows no toolkit, no file format of images, no plotting.

In reading order: search, backbone, theta, response, optimizers, update, locate, tracking.
"""
