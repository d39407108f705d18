"""The mathematics: each objective stated once, with its gradients derived by hand."""
