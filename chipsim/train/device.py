"""Where torch computes."""

from __future__ import annotations

import torch

from chipsim.errors import InputError


def choose(name: str) -> torch.device:
    """Return the device of option ``--device``: ``auto`` takes a CUDA GPU where there is one.

    InputError if ``cuda`` is asked for and torch finds none.
    """
    there = torch.cuda.is_available()
    if name == "cuda" and not there:
        raise InputError(
            f"--device cuda: torch {torch.__version__} finds no CUDA GPU; "
            "install a CUDA build of torch, or give --device cpu"
        )
    return torch.device("cuda" if there and name != "cpu" else "cpu")
