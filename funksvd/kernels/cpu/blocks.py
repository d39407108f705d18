"""Sorting ratings into blocks.

Every function takes a piece of the ratings or one block, so that several can run at once; where
each writes follows from counts alone, and so does the result, however the work is cut.
"""

from __future__ import annotations

import numpy as np

from funksvd.kernels.compiling import compiled


@compiled
def count_rows(index, held_back, counts):
    """Count each row's ratings.

    Parameters
    ----------
    index : ndarray of shape (n,), int32
    held_back : ndarray of shape (n,) or (0,), bool
        Empty where none is.
    counts : ndarray of shape (2, n_rows), int64
        Added to: of the ratings that are not held back, and of those that are.
    """
    for at in range(index.size):
        part = np.int64(held_back[at]) if held_back.size else 0
        counts[part, index[at]] += 1


@compiled
def count_blocks(user_index, item_index, held_back, user_group, item_group, counts):
    """Count the ratings of each block.

    Parameters
    ----------
    user_index, item_index : ndarray of shape (n,), int32
    held_back : ndarray of shape (n,) or (0,), bool
    user_group, item_group : ndarray of shape (n_users,) and (n_items,), uint8
    counts : ndarray of shape (n_groups, n_groups, 2), int64
        Added to: by user group, item group, and whether they are held back.
    """
    for at in range(user_index.size):
        part = np.int64(held_back[at]) if held_back.size else 0
        counts[user_group[user_index[at]], item_group[item_index[at]], part] += 1


@compiled
def fill_blocks(
    user_index, item_index, values, held_back, groups, rows, places, users, items, block_values
):
    """Write ratings where their blocks are.

    Parameters
    ----------
    user_index, item_index : ndarray of shape (n,), int32
    values : ndarray of shape (n,), float32
    held_back : ndarray of shape (n,) or (0,), bool
    groups : tuple of ndarray of shape (n_users,) and (n_items,), uint8
        The group of each user and item.
    rows : tuple of ndarray of shape (n_users,) and (n_items,), uint16 or uint32
        Their rows within the group.
    places : ndarray of shape (n_groups, n_groups, 2), int64
        Where the next rating of each block goes; moved on.
    users, items : ndarray of shape (n_ratings,), uint16 or uint32
        Written: rows within the group.
    block_values : ndarray of shape (n_ratings,), float32
        Written.
    """
    user_group, item_group = groups
    user_row, item_row = rows
    for at in range(user_index.size):
        u, i = user_index[at], item_index[at]
        part = np.int64(held_back[at]) if held_back.size else 0
        g, h = user_group[u], item_group[i]
        to = places[g, h, part]
        places[g, h, part] = to + 1
        users[to] = user_row[u]
        items[to] = item_row[i]
        block_values[to] = values[at]


@compiled
def take_turns(users, items, values, n_in_turn, out_users, out_items, out_values):
    """Let a few users take turns in a block that is sorted by user.

    Of every n_in_turn consecutive users, first each one's first rating follow each other, then
    each one's second, and so on.

    Parameters
    ----------
    users, items : ndarray of shape (n,), uint16 or uint32
    values : ndarray of shape (n,), float32
    n_in_turn : int
    out_users, out_items, out_values : ndarray of shape (n,), of the same types
        Written.
    """
    n = values.size
    starts = np.empty(n_in_turn + 1, dtype=np.int64)
    to = 0
    at = 0
    while at < n:
        n_users = 0
        longest = 0
        while n_users < n_in_turn and at < n:
            starts[n_users] = at
            user = users[at]
            while at < n and users[at] == user:
                at += 1
            longest = max(longest, at - starts[n_users])
            n_users += 1
        starts[n_users] = at
        for turn in range(longest):
            for of in range(n_users):
                source = starts[of] + turn
                if source < starts[of + 1]:
                    out_users[to] = users[source]
                    out_items[to] = items[source]
                    out_values[to] = values[source]
                    to += 1
