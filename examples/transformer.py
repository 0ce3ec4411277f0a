"""A character transformer that learns from Python's own documentation, and writes some: `minigrad.tape`.

What to look at: the loss falls from log(vocabulary) to where words are spelled, and the sampled text shows it: noise
before, the shapes of words, markup and line breaks after.
"""

import math
import sys
import time

import minigrad.tape as torch
from minigrad.compare.text import python_documentation
from minigrad.tape import nn
from minigrad.tape.nn import functional as F

WIDTH, HEADS, LAYERS, CONTEXT = 64, 4, 2, 32


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.qkv = nn.Linear(WIDTH, 3 * WIDTH)
        self.out = nn.Linear(WIDTH, WIDTH)

    def forward(self, x):
        b, t, d = x.shape
        q, k, v = self.qkv(x).split(WIDTH, dim=-1)
        q, k, v = (part.view(b, t, HEADS, d // HEADS).transpose(1, 2) for part in (q, k, v))  # [b, h, t, d/h]
        scores = q @ k.transpose(-2, -1) / math.sqrt(d // HEADS)  # [b, h, t, t]
        future = torch.ones(t, t, dtype=torch.bool).triu(1)
        weights = F.softmax(scores.masked_fill(future, -math.inf), dim=-1)
        return self.out((weights @ v).transpose(1, 2).reshape(b, t, d))


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm1, self.attention = nn.LayerNorm(WIDTH), Attention()
        self.norm2 = nn.LayerNorm(WIDTH)
        self.mlp = nn.Sequential(nn.Linear(WIDTH, 4 * WIDTH), nn.GELU(), nn.Linear(4 * WIDTH, WIDTH))

    def forward(self, x):
        x = x + self.attention(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class Transformer(nn.Module):
    def __init__(self, vocabulary):
        super().__init__()
        self.characters = nn.Embedding(vocabulary, WIDTH)
        self.positions = nn.Embedding(CONTEXT, WIDTH)
        self.blocks = nn.Sequential(*[Block() for _ in range(LAYERS)])
        self.norm = nn.LayerNorm(WIDTH)
        self.head = nn.Linear(WIDTH, vocabulary)

    def forward(self, codes):  # [b, t]
        x = self.characters(codes) + self.positions(torch.arange(codes.shape[1]))
        return self.head(self.norm(self.blocks(x)))  # [b, t, vocabulary]


@torch.no_grad()
def sample(model, text, prompt, length, temperature=0.7):
    """The prompt continued by `length` characters, each drawn from what the model expects next."""
    codes = torch.from_numpy(text.encode(prompt))[None]  # [1, t]
    for _ in range(length):
        logits = model(codes[:, -CONTEXT:])[:, -1] / temperature
        drawn = torch.multinomial(F.softmax(logits, dim=-1), num_samples=1)
        codes = torch.cat([codes, drawn], dim=1)
    return text.decode(codes[0].numpy())


def main(steps=400, length=240):
    """Returns the losses and the text sampled at the end."""
    torch.manual_seed(0)
    text = python_documentation()
    model = Transformer(text.vocabulary)
    optimizer = torch.optim.Adam(model.parameters(), lr=4e-3)
    size = sum(p.numel() for p in model.parameters())
    print(f"{len(text.codes)} characters, {size} parameters")
    print(f"a loss of {math.log(text.vocabulary):.3f} is to guess among {text.vocabulary} characters")
    print(f"before: {sample(model, text, 'The ', 60)!r}")

    losses, start = [], time.perf_counter()
    for k, (inputs, targets) in enumerate(text.batches(size=16, length=CONTEXT, seed=0)):
        if k == steps:
            break
        logits = model(torch.from_numpy(inputs))
        loss = F.cross_entropy(logits.view(-1, text.vocabulary), torch.from_numpy(targets).view(-1))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
        if k % 50 == 0:
            print(f"step {k:4d}  loss {losses[-1]:.3f} nats a character")
    spent = (time.perf_counter() - start) / steps
    print(f"last losses {sum(losses[-20:]) / len(losses[-20:]):.3f} on average, {spent * 1e3:.0f} ms a step")

    written = sample(model, text, "The ", length)
    print(f"after {steps} steps:\n{written}")
    return losses, written


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
