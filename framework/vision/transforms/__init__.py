"""Changes of images, with and without chance, in torchvision's words."""
