"""Data sets of images, in torchvision's words and its places on the disk."""
from .caltech import Caltech101, Caltech256, Omniglot
from .celeba import CelebA
from .cifar import CIFAR10, CIFAR100
from .cityscapes import Cityscapes
from .coco import CocoCaptions, CocoDetection
from .fakedata import FakeData
from .folder import DatasetFolder, ImageFolder
from .imagenet import ImageNet
from .mnist import EMNIST, KMNIST, MNIST, QMNIST, FashionMNIST
from .recognition import DTD, GTSRB, EuroSAT, Flowers102, Food101, OxfordIIITPet
from .small_pictures import STL10, SVHN, USPS
from .vision import VisionDataset
from .voc import VOCDetection, VOCSegmentation

__all__ = ["CIFAR10", "CIFAR100", "DTD", "EMNIST", "GTSRB", "KMNIST", "MNIST", "QMNIST", "STL10", "SVHN", "USPS", "Caltech101", "Caltech256",
           "CelebA", "Cityscapes", "CocoCaptions", "CocoDetection", "DatasetFolder", "EuroSAT", "FakeData", "FashionMNIST", "Flowers102", "Food101",
           "ImageFolder", "ImageNet", "Omniglot", "OxfordIIITPet", "VOCDetection", "VOCSegmentation", "VisionDataset"]
