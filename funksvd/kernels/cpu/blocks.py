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
    user_group, item_group : ndarray of shape (n_users,) and (n_items,), uint16
    counts : ndarray of shape (n_groups, n_groups, 2), int64
        Added to: by user group, item group, and whether they are held back.
    """
    for at in range(user_index.size):
        part = np.int64(held_back[at]) if held_back.size else 0
        counts[user_group[user_index[at]], item_group[item_index[at]], part] += 1


@compiled
def fill_records(
    user_index, item_index, payload, held_back, groups, rows, item_bits, first, places, records
):
    """Pack ratings into records, each where its block is.

    Parameters
    ----------
    user_index, item_index : ndarray of shape (n,), int32
    payload : ndarray of shape (n,) or (0,), uint32
        Second words of the records; where it is empty, they are the ratings' positions.
    held_back : ndarray of shape (n,) or (0,), bool
    groups : tuple of ndarray of shape (n_users,) and (n_items,), uint16
        The group of each user and item.
    rows : tuple of ndarray of shape (n_users,) and (n_items,), uint16 or uint32
        Their rows within the group.
    item_bits : int
        Bits of an item's row. First words are user row, item row.
    first : int
        Position of the first rating.
    places : ndarray of shape (n_groups, n_groups, 2), int64
        Where the next rating of each block goes; moved on.
    records : ndarray of shape (n_ratings, 2), uint32 or uint64
        Written.
    """
    user_group, item_group = groups
    user_row, item_row = rows
    shift = records.dtype.type(item_bits)
    for at in range(user_index.size):
        u, i = np.uint32(user_index[at]), np.uint32(item_index[at])
        part = np.int64(held_back[at]) if held_back.size else 0
        g, h = user_group[u], item_group[i]
        to = places[g, h, part]
        places[g, h, part] = to + 1
        records[to, 0] = (records.dtype.type(user_row[u]) << shift) | item_row[i]
        records[to, 1] = payload[at] if payload.size else first + at


@compiled
def pack_records(users, items, payload, item_bits, records):
    """Pack ratings of a block into records, in their order.

    Parameters
    ----------
    users, items : ndarray of shape (n,), uint16 or uint32
    payload : ndarray of shape (n,) or (0,), uint32
        Where it is empty, second words are the ratings' positions.
    item_bits : int
    records : ndarray of shape (n, 2), uint32 or uint64
        Written.
    """
    shift = records.dtype.type(item_bits)
    for at in range(users.size):
        records[at, 0] = (records.dtype.type(users[at]) << shift) | items[at]
        records[at, 1] = payload[at] if payload.size else at


@compiled
def _sort_by_digit(records, shift, counts, out):
    """Sort records by as many bits of their first word as `counts` has numbers for; stable."""
    shift = records.dtype.type(shift)
    mask = records.dtype.type(counts.size - 1)
    one = records.dtype.type(1)
    counts[:] = 0
    for at in range(len(records)):
        counts[(records[at, 0] >> shift) & mask] += one
    end = records.dtype.type(0)
    for digit in range(counts.size):
        start = end
        end += counts[digit]
        counts[digit] = start
    for at in range(len(records)):
        key = records[at, 0]
        digit = (key >> shift) & mask
        to = counts[digit]
        counts[digit] = to + one
        out[to, 0] = key
        out[to, 1] = records[at, 1]


@compiled
def _take_turns(records, item_bits, n_in_turn, users, items, payload):
    """Unpack records sorted by user, of whom `n_in_turn` take turns.

    Of every n_in_turn consecutive users, first each one's first rating follow each other, then
    each one's second, and so on; who has none left is passed over.
    """
    shift = records.dtype.type(item_bits)
    mask = records.dtype.type((1 << item_bits) - 1)
    next_of = np.empty(n_in_turn, dtype=np.int64)
    end_of = np.empty(n_in_turn, dtype=np.int64)
    n = len(records)
    at = to = 0
    while at < n:
        n_left = 0
        while n_left < n_in_turn and at < n:
            next_of[n_left] = at
            user = records[at, 0] >> shift
            while at < n and records[at, 0] >> shift == user:
                at += 1
            end_of[n_left] = at
            n_left += 1
        while n_left:
            n_turns = n
            for seat in range(n_left):
                n_turns = min(n_turns, end_of[seat] - next_of[seat])
            n_next = 0
            for seat in range(n_left):
                into = to + seat
                for source in range(next_of[seat], next_of[seat] + n_turns):
                    users[into] = records[source, 0] >> shift
                    items[into] = records[source, 0] & mask
                    if payload.size:
                        payload[into] = records[source, 1]
                    into += n_left
                if next_of[seat] + n_turns < end_of[seat]:
                    next_of[n_next] = next_of[seat] + n_turns
                    end_of[n_next] = end_of[seat]
                    n_next += 1
            to += n_turns * n_left
            n_left = n_next


@compiled
def unpack_in_turns(
    records, scratch, counts, item_bits, key_bits, n_in_turn, users, items, payload
):
    """Sort the records of a block by user, then item, and unpack them, users taking turns.

    A radix sort, by digits of as many bits as `counts` has numbers for.

    Parameters
    ----------
    records, scratch : ndarray of shape (n, 2), uint32 or uint64
        First words are user row, item row; no two are equal. Both are overwritten.
    counts : ndarray of shape (2**digit_bits,), uint32 or uint64
        Overwritten.
    item_bits, key_bits : int
        Bits of an item's row, and of both rows together.
    n_in_turn : int
        Users that take turns: first each one's first rating, then each one's second, and so on.
    users, items : ndarray of shape (n,), uint16 or uint32
        Written.
    payload : ndarray of shape (n,) or (0,), uint32 or uint64
        Written, unless it is empty: second words.
    """
    digit_bits = 0
    while 1 << digit_bits < counts.size:
        digit_bits += 1
    source, target = records, scratch
    for shift in range(0, key_bits, digit_bits):
        _sort_by_digit(source, shift, counts, target)
        source, target = target, source
    _take_turns(source, item_bits, n_in_turn, users, items, payload)
