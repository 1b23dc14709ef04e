"""What AutoAugment learnt: for each data set 25 pairs of (operation, probability, strength from 0 to 9 or None).

Cubuk et al. 2018, "AutoAugment: learning augmentation strategies from data", arXiv:1805.09501, tables 7, 8 and 9.
"""

_SHORT = {"SX": "ShearX", "SY": "ShearY", "TX": "TranslateX", "TY": "TranslateY", "Ro": "Rotate", "Br": "Brightness", "Co": "Color", "Ct": "Contrast",
          "Sh": "Sharpness", "Po": "Posterize", "So": "Solarize", "AC": "AutoContrast", "Eq": "Equalize", "In": "Invert"}


def _read(text):
    """Rows of pairs out of "Po.4:8 Ro.6:9, ...": operation, probability, strength."""
    def step(word):
        chance, _, strength = word[2:].partition(":")
        return _SHORT[word[:2]], float(chance), int(strength) if strength else None
    return [tuple(step(word) for word in pair.split()) for pair in text.split(",")]


POLICIES = {
    "imagenet": _read(
        "Po.4:8 Ro.6:9, So.6:5 AC.6, Eq.8 Eq.6, Po.6:7 Po.6:6, Eq.4 So.2:4, "
        "Eq.4 Ro.8:8, So.6:3 Eq.6, Po.8:5 Eq1, Ro.2:3 So.6:8, Eq.6 Po.4:6, "
        "Ro.8:8 Co.4:0, Ro.4:9 Eq.6, Eq0 Eq.8, In.6 Eq1, Co.6:4 Ct1:8, "
        "Ro.8:8 Co1:2, Co.8:8 So.8:7, Sh.4:7 In.6, SX.6:5 Eq1, Co.4:0 Eq.6, "
        "Eq.4 So.2:4, So.6:5 AC.6, In.6 Eq1, Co.6:4 Ct1:8, Eq.8 Eq.6"),
    "cifar10": _read(
        "In.1 Ct.2:6, Ro.7:2 TX.3:9, Sh.8:1 Sh.9:3, SY.5:8 TY.7:9, AC.5 Eq.9, "
        "SY.2:7 Po.3:7, Co.4:3 Br.6:7, Sh.3:9 Br.7:9, Eq.6 Eq.5, Ct.6:7 Sh.6:5, "
        "Co.7:7 TX.5:8, Eq.3 AC.4, TY.4:3 Sh.2:6, Br.9:6 Co.2:8, So.5:2 In0, "
        "Eq.2 AC.6, Eq.2 Eq.6, Co.9:9 Eq.6, AC.8 So.2:8, Br.1:3 Co.7:0, "
        "So.4:5 AC.9, TY.9:9 TY.7:9, AC.9 So.8:3, Eq.8 In.1, TY.7:9 AC.9"),
    "svhn": _read(
        "SX.9:4 In.2, SY.9:8 In.7, Eq.6 So.6:6, In.9 Eq.6, Eq.6 Ro.9:3, "
        "SX.9:4 AC.8, SY.9:8 In.4, SY.9:5 So.2:6, In.9 AC.8, Eq.6 Ro.9:3, "
        "SX.9:4 So.3:3, SY.8:8 In.7, Eq.9 TY.6:6, In.9 Eq.6, Ct.3:3 Ro.8:4, "
        "In.8 TY0:2, SY.7:6 So.4:8, In.6 Ro.8:4, SY.3:7 TX.9:3, SX.1:6 In.6, "
        "So.7:2 TY.6:7, SY.8:4 In.8, SX.7:9 TY.8:3, SY.8:5 AC.7, SX.7:2 In.1"),
}
