"""A digit classifier that records while it runs: `minigrad.tape`, in the manner of PyTorch.

What to look at: every line of the loop computes at once, and `loss.grad_fn` is the last record of a trail that the
forward pass has just left behind; `backward()` walks it once, and the next step leaves a new one.
"""

import sys
import time

import digits

import minigrad.tape as torch
from minigrad.tape import nn
from minigrad.tape.nn import functional as F


class Classifier(nn.Module):
    def __init__(self):
        super().__init__()
        self.hidden = nn.Linear(64, digits.HIDDEN)
        self.output = nn.Linear(digits.HIDDEN, 10)
        w1, b1, w2, b2 = map(torch.from_numpy, digits.initial_weights())
        with torch.no_grad():  # the weights all three examples start from; a Linear keeps [out, in]
            self.hidden.weight.copy_(w1.T)
            self.hidden.bias.copy_(b1)
            self.output.weight.copy_(w2.T)
            self.output.bias.copy_(b2)

    def forward(self, images):
        return self.output(F.relu(self.hidden(images)))  # [b, 10]


def main(steps=300):
    """Train; returns the loss of every step and the accuracy on the held-out images."""
    train_x, train_y, test_x, test_y = map(torch.from_numpy, digits.load())
    model = Classifier()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    print(f"{sum(p.numel() for p in model.parameters())} parameters, no graph")

    losses = []
    start = time.perf_counter()
    for k, (x, y) in enumerate(digits.batches(train_x, train_y, steps)):
        loss = F.cross_entropy(model(x), y)
        if k == 0:
            print(f"the trail of the first step ends in {loss.grad_fn}")
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
        if k == 0:
            print(f"first step: {(time.perf_counter() - start) * 1e3:.1f} ms")
            start = time.perf_counter()
        if k % 50 == 0:
            print(f"step {k:4d}  loss {loss.item():.6f}")
    print(f"later steps: {(time.perf_counter() - start) / max(steps - 1, 1) * 1e3:.2f} ms each")

    with torch.no_grad():
        predicted = model(test_x).argmax(dim=1)
    held_out = (predicted == test_y).float().mean().item()
    print(f"last loss {losses[-1]:.6f}, accuracy on {len(test_y)} held-out digits {held_out:.3f}")
    return losses, held_out


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
