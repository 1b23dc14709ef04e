"""python same_start.py faces.py: facenet-pytorch's recogniser and detection networks on fixed pictures; prints outputs and losses.

Its package opens pictures and downloads weights when it is imported, so the two files of networks are loaded by their paths, below PYTHONPATH.
"""
import torch
from models import inception_resnet_v1, mtcnn


def main():
    """Two training steps of the recogniser, one forward pass in evaluation, and one of each of the three detection networks."""
    net = inception_resnet_v1.InceptionResnetV1(classify=True, num_classes=5, dropout_prob=0.0)
    pictures, labels = torch.randn(4, 3, 96, 96), torch.tensor([0, 1, 2, 3])
    optimizer = torch.optim.SGD(net.parameters(), lr=0.01)
    for step in range(2):
        loss = torch.nn.functional.cross_entropy(net(pictures), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        print(f"step {step} loss {loss.item():.6f}", flush=True)
    net.eval()
    net.classify = False
    with torch.no_grad():
        print(f"faces loss {(net(pictures) ** 2)[:, :64].sum().item():.6f}")
        for kind, size in ((mtcnn.PNet, 12), (mtcnn.RNet, 24), (mtcnn.ONet, 48)):
            outputs = kind(pretrained=False).eval()(torch.randn(2, 3, size, size))
            print(f"{kind.__name__} loss {sum(o.abs().sum().item() for o in outputs):.6f}")


if __name__ == "__main__":
    main()
