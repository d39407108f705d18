"""Training on ratings that do not fit into memory, or on several machines.

The ratings are cut up by groups of users into shards. `shards` has what a worker does to prepare
its own, `descent` how it learns from them, `choices` how it solves rows of a choice model, and none
of them knows an engine. A gang calls the workers: those of this process one after another
(`gang.LocalGang`), or those of a Ray cluster (`ray.RayGang`). `preparing`, `learner` and `days` are
what the process does that tells workers what to do, and `fitting.Shards` is all of it, for
`FunkSVD.fit`. Any gang, of any number of workers, comes to the bytes of training in memory.
"""
