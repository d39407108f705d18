"""Parts of the Gibbs sampler of `funksvd.training.learners.bayes`."""
