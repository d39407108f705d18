"""Training on ratings that do not fit into memory, or on several machines.

The ratings are cut up by groups of users into shards. `shards` has what one worker does with its
own, and knows no engine; a `gang` calls the workers: those of this process one after another
(`local`), or those of a cluster (`ray`). All of them come to the same bytes.
"""
