"""The ROAM core: tensors in, tensors out. Knows no toolkit, no file format of images, no plotting."""
