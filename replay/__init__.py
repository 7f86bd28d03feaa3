"""A recording seen through a model: plots of its output over time."""
