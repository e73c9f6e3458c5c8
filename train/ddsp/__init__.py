"""Differentiable synths: compiled operators, and the plain torch that defines them."""
