"""The networks of the benchmark, written once for either library: `lib` is torch or ringgrad.

A model with a method `training_step(x, y)` brings its own step; the others are trained with AdamW.
"""


def mlp(lib):
    """784-512-512-10: returns (model, batch) with batch = (x, y) of 128."""
    nn = lib.nn
    model = nn.Sequential(nn.Linear(784, 512), nn.ReLU(), nn.Linear(512, 512), nn.ReLU(), nn.Linear(512, 10))
    return model, (lib.randn(128, 784), lib.randint(0, 10, (128,)))


def cnn(lib):
    """The CNN of pytorch/examples mnist without dropout: returns (model, batch) with batch = (x, y) of 64."""
    nn = lib.nn
    model = nn.Sequential(nn.Conv2d(1, 32, 3), nn.ReLU(), nn.Conv2d(32, 64, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
                          nn.Linear(9216, 128), nn.ReLU(), nn.Linear(128, 10))
    return model, (lib.randn(64, 1, 28, 28), lib.randint(0, 10, (64,)))


def lenet(lib):
    """LeNet-5 with ReLU for CIFAR, that of PyTorch's tutorial: returns (model, batch) with batch = (x, y) of 64."""
    nn = lib.nn
    model = nn.Sequential(nn.Conv2d(3, 6, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
                          nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10))
    return model, (lib.randn(64, 3, 32, 32), lib.randint(0, 10, (64,)))


def resnet20(lib, width=16, blocks=3):
    """ResNet-20 for CIFAR (He et al. 2016, arXiv:1512.03385, section 4.2): returns (model, batch) with batch = (x, y) of 32."""
    nn, F = lib.nn, lib.nn.functional

    class Block(nn.Module):
        def __init__(self, inside, out, stride):
            super().__init__()
            self.conv1, self.bn1 = nn.Conv2d(inside, out, 3, stride, padding=1, bias=False), nn.BatchNorm2d(out)
            self.conv2, self.bn2 = nn.Conv2d(out, out, 3, padding=1, bias=False), nn.BatchNorm2d(out)
            self.stride, self.more = stride, out - inside

        def forward(self, x):
            y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
            if self.more:
                x = F.pad(x[:, :, ::self.stride, ::self.stride], (0, 0, 0, 0, self.more // 2, self.more // 2))
            return F.relu(y + x)

    layers = [nn.Conv2d(3, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU()]
    for stage in range(3):
        for i in range(blocks):
            first = stage > 0 and i == 0
            layers.append(Block(width * 2**(stage - first), width * 2**stage, 2 if first else 1))
    model = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4 * width, 10))
    return model, (lib.randn(32, 3, 32, 32), lib.randint(0, 10, (32,)))


def mobilenet(lib, size=96, batch=8, classes=10):
    """MobileNetV2 (Sandler et al. 2018, arXiv:1801.04381, table 2): returns (model, batch) with batch = (x, y) of 8 images of 96 x 96."""
    nn = lib.nn

    def layer(inside, out, kernel=3, stride=1, groups=1):
        return [nn.Conv2d(inside, out, kernel, stride, kernel // 2, groups=groups, bias=False), nn.BatchNorm2d(out), nn.ReLU6()]

    class Block(nn.Module):
        def __init__(self, inside, out, stride, factor):
            super().__init__()
            wide = inside * factor
            first = layer(inside, wide, 1) if factor > 1 else []
            self.layers = nn.Sequential(*first, *layer(wide, wide, 3, stride, wide), *layer(wide, out, 1)[:2])
            self.adds = stride == 1 and inside == out

        def forward(self, x):
            return x + self.layers(x) if self.adds else self.layers(x)

    layers, inside = layer(3, 32, 3, 2), 32
    for factor, out, blocks, stride in ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)):
        for i in range(blocks):
            layers.append(Block(inside, out, 1 if i else stride, factor))
            inside = out
    model = nn.Sequential(*layers, *layer(320, 1280, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(1280, classes))
    return model, (lib.randn(batch, 3, size, size), lib.randint(0, classes, (batch,)))


def char_gpt(lib, layers=4, heads=4, width=128, block=64, batch=12, vocabulary=65):
    """A GPT of nanoGPT's CPU size: returns (model, batch) with batch = (x, y) of (12, 64)."""
    nn, F = lib.nn, lib.nn.functional

    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.ln_1, self.ln_2 = nn.LayerNorm(width), nn.LayerNorm(width)
            self.qkv, self.proj = nn.Linear(width, 3 * width, bias=False), nn.Linear(width, width, bias=False)
            self.up, self.down = nn.Linear(width, 4 * width, bias=False), nn.Linear(4 * width, width, bias=False)

        def forward(self, x):
            B, T, C = x.shape
            q, k, v = (p.view(B, T, heads, C // heads).transpose(1, 2) for p in self.qkv(self.ln_1(x)).split(C, dim=2))
            y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
            x = x + self.proj(y.transpose(1, 2).contiguous().view(B, T, C))
            return x + self.down(F.gelu(self.up(self.ln_2(x))))

    class GPT(nn.Module):
        def __init__(self):
            super().__init__()
            self.token, self.position = nn.Embedding(vocabulary, width), nn.Embedding(block, width)
            self.blocks = nn.ModuleList([Block() for _ in range(layers)])
            self.ln_f, self.head = nn.LayerNorm(width), nn.Linear(width, vocabulary, bias=False)

        def forward(self, x):
            h = self.token(x) + self.position(lib.arange(x.shape[1], device=x.device))
            for b in self.blocks:
                h = b(h)
            return self.head(self.ln_f(h)).view(-1, vocabulary)

    return GPT(), (lib.randint(0, vocabulary, (batch, block)), lib.randint(0, vocabulary, (batch * block,)))


def word_lstm(lib, vocabulary, width=200, layers=2, steps=35, batch=20, dropout=0.2):
    """The LSTM language model of pytorch/examples with its own training step: returns (model, batch) with batch = (x, y) of 35 x 20 words."""
    nn, F = lib.nn, lib.nn.functional

    class WordLSTM(nn.Module):
        def __init__(self):
            super().__init__()
            self.drop, self.encoder, self.decoder = nn.Dropout(dropout), nn.Embedding(vocabulary, width), nn.Linear(width, vocabulary)
            self.rnn = nn.LSTM(width, width, layers, dropout=dropout)
            self.hidden = lib.zeros(layers, batch, width), lib.zeros(layers, batch, width)

        def forward(self, x):
            y, self.hidden = self.rnn(self.drop(self.encoder(x)), tuple(h.detach() for h in self.hidden))
            return F.log_softmax(self.decoder(self.drop(y)).view(-1, vocabulary), dim=1)

        def training_step(self, x, y):
            self.zero_grad()
            F.nll_loss(self(x), y).backward()
            nn.utils.clip_grad_norm_(self.parameters(), 0.25)
            for p in self.parameters():
                p.data.add_(p.grad, alpha=-20)

    return WordLSTM(), (lib.randint(0, vocabulary, (steps, batch)), lib.randint(0, vocabulary, (steps * batch,)))


def word_lstm_33278(lib):
    """`word_lstm` for the words of wikitext-2."""
    return word_lstm(lib, 33278)


def word_lstm_2000(lib):
    """`word_lstm` for a small vocabulary, where the recurrent layers take most of the time."""
    return word_lstm(lib, 2000)


MODELS = {"MLP 784-512-512-10, batch 128": (mlp, 20), "CNN (MNIST), batch 64": (cnn, 3),
          "LeNet-5 (CIFAR), batch 64": (lenet, 10), "ResNet-20 (CIFAR), batch 32": (resnet20, 2),
          "MobileNetV2 (96 x 96), batch 8": (mobilenet, 2), "char-GPT 4x128, 12x64": (char_gpt, 3),
          "word LSTM 2x200, 35x20, 2000 words": (word_lstm_2000, 3), "word LSTM 2x200, 35x20, 33278 words": (word_lstm_33278, 1)}
