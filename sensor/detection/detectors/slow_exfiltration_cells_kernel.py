"""What identities have read, object by object: in: ids of objects; out: how many are new to them, by day.

A reader is one (identity, endpoint). While it has read few objects, 64 bits tell its new ones; then it gets one of the
bounded cells, with a bitmap and DAYS_MAX of history, which a lighter one may have to give back. The shelf is the
endpoint: how many objects it is known to have, and how much each of its readers read on its last busy day. The one law:
a shelf's histogram holds each of its readers once.
"""

import numpy as np

from sensor._jit import inline_kernel, part_kernel
from sensor.structures.distinct import (
    BITS,
    FULL,
    WORDS,
    clear_words,
    is_new_bit,
    sketch_add,
    sketch_clear,
    weight_of_bit,
)
from sensor.structures.log_histogram import BINS, bin_of
from sensor.structures.robust import DAYS_MAX
from sensor.structures.sliding import clear_ring, slide

LIGHT_BITS = 24
"""Bits of the 64 that a reader may have set before it asks for a cell: about 30 objects."""
TRIED = 8
"""Cells looked at for one that is lighter than who asks."""

READER = np.dtype(
    [
        ("bits", "u8"),           # while it has no cell: the objects read, hashed to 64
        ("generation", "u4"),     # of its row; 0 before the first
        ("shelf", "i4"),
        ("shelf_generation", "u4"),
        ("cell", "i4"),           # 1 + its cell, 0 while it has none
        ("bin", "i4"),            # 1 + where the shelf's histogram counts it, 0 when it does not
        ("day", "i4"),            # its latest day
        ("first_day", "i4"),
        ("days", "i4"),           # days on which it read something new, before the latest
        ("today", "f4"),          # objects new to it, on the latest day
        ("before", "f4"),         # on the busy day before
        ("total", "f4"),          # in all
        ("first_second", "i4"),   # into its latest day, of the first new object
    ],
    align=True,
)

CELL = np.dtype(
    [
        ("reader", "i4"),         # 1 + whose it is, 0 while it is free
        ("set_bits", "i4"),
        ("head", "i4"),           # latest day in the history
        ("light_days", "i4"),     # days before it got the cell
        ("light_total", "f4"),    # and what it read in them
        ("look", "f4"),           # today's objects at which to judge it next
        ("reported", "f4"),       # today's objects when it was last reported, 0 when it was not
        ("restarted_day", "i4"),  # the day on which a full bitmap was emptied, 0 when none was
    ],
    align=True,
)

SHELF = np.dtype([("generation", "u4"), ("members", "i4")], align=True)


@inline_kernel
def settle_shelf(shelves, sketches, registers, histograms, row, generation):
    """Empty a shelf that belongs to another endpoint now."""
    if shelves[row]["generation"] != generation:
        shelves[row]["generation"] = generation
        shelves[row]["members"] = 0
        sketch_clear(sketches, registers, row)
        for i in range(row * BINS, (row + 1) * BINS):
            histograms[i] = 0


@part_kernel
def leave(reader, shelves, histograms):
    """Take a reader out of its shelf's histogram."""
    shelf = np.int64(reader["shelf"])
    if reader["bin"] > 0 and shelves[shelf]["generation"] == reader["shelf_generation"]:
        histograms[shelf * BINS + np.int64(reader["bin"]) - 1] -= 1
        shelves[shelf]["members"] -= 1
    reader["bin"] = 0


@inline_kernel
def count(reader, shelves, histograms):
    """Count a reader where its last busy day belongs."""
    place = bin_of(np.int64(max(reader["today"], reader["before"])))
    if place + 1 == reader["bin"]:
        return
    shelf = np.int64(reader["shelf"])
    if reader["bin"] > 0:
        histograms[shelf * BINS + np.int64(reader["bin"]) - 1] -= 1
    else:
        shelves[shelf]["members"] += 1
    histograms[shelf * BINS + place] += 1
    reader["bin"] = place + 1


@part_kernel
def settle_reader(reader, cells, shelves, histograms, shelf, generation, day):
    """Begin a reader whose row, or whose shelf's, is somebody else's now; its cell is free again."""
    leave(reader, shelves, histograms)
    if reader["cell"] > 0:
        cells[np.int64(reader["cell"]) - 1]["reader"] = 0
    reader["bits"] = np.uint64(0)
    reader["generation"] = generation
    reader["shelf"] = shelf
    reader["shelf_generation"] = shelves[shelf]["generation"]
    reader["cell"] = 0
    reader["day"] = day
    reader["first_day"] = day
    reader["days"] = 0
    reader["today"] = 0.0
    reader["before"] = 0.0
    reader["total"] = 0.0


@part_kernel
def end_day(reader, cells, history, day):
    """A new day begins for a reader that reads something new."""
    if reader["today"] > 0:
        reader["before"] = reader["today"]
        reader["days"] += 1
    if reader["cell"] > 0:
        row = np.int64(reader["cell"]) - 1
        cell = cells[row]
        slide(history, row * DAYS_MAX, DAYS_MAX, np.int64(cell["head"]), day)
        cell["head"] = day
        cell["look"] = 0.0
        cell["reported"] = 0.0
    reader["day"] = day
    reader["today"] = 0.0


@inline_kernel
def _weight(reader, day):
    """What a reader's cell is worth: what it read in all, a quarter of it for each week without anything new."""
    return reader["total"] * 0.25 ** (max(day - np.int64(reader["day"]), 0) // 7)


@part_kernel
def give_cell(readers, row, cells, words, history, hand, day):
    """Give a reader a cell, taken from a lighter one when none is free; 2 when it was, 1 when not, 0 when it got none.

    `hand[0]` is the cell that is looked at next, `hand[1]` how many were ever given.
    """
    reader = readers[row]
    outcome = 1
    if hand[1] < len(cells):
        place = hand[1]
        hand[1] += 1
    else:
        place = np.int64(-1)
        least = reader["total"] * 0.5
        for _ in range(TRIED):
            looked = hand[0]
            hand[0] = looked + 1 if looked + 1 < len(cells) else 0
            owner = np.int64(cells[looked]["reader"]) - 1
            weight = _weight(readers[owner], day) if owner >= 0 else 0.0
            if weight < least:
                place, least = looked, weight
        if place < 0:
            return 0
        owner = np.int64(cells[place]["reader"]) - 1
        if owner >= 0:
            readers[owner]["cell"] = 0
            outcome = 2
    cell = cells[place]
    cell["reader"] = row + 1
    cell["set_bits"] = 0
    cell["head"] = day
    cell["light_days"] = reader["days"]
    cell["light_total"] = reader["total"] - reader["today"]
    cell["look"] = 0.0
    cell["reported"] = 0.0
    cell["restarted_day"] = 0
    clear_words(words, place * WORDS, WORDS)
    clear_ring(history, place * DAYS_MAX, DAYS_MAX)
    history[place * DAYS_MAX + day % DAYS_MAX] = np.int64(reader["today"])
    reader["cell"] = place + 1
    return outcome


@inline_kernel
def _light_new(reader, hashed):
    """How many objects the hash adds for a reader without a cell: 0 when it was seen, else what its bit stands for."""
    mask = np.uint64(1) << (hashed >> np.uint64(58))
    if reader["bits"] & mask != 0:
        return 0.0
    reader["bits"] |= mask
    return 1.0


@part_kernel
def light_bits(reader):
    """Bits set of the 64."""
    bits = reader["bits"]
    found = 0
    while bits != 0:
        bits &= bits - np.uint64(1)
        found += 1
    return found


@inline_kernel
def _cell_new(reader, cells, words, hashed, day):
    """The same for a reader with a cell."""
    row = np.int64(reader["cell"]) - 1
    cell = cells[row]
    if not is_new_bit(words, row * WORDS, hashed):
        return 0.0
    cell["set_bits"] += 1
    if cell["set_bits"] > FULL:
        clear_words(words, row * WORDS, WORDS)
        cell["set_bits"] = 1
        is_new_bit(words, row * WORDS, hashed)
        cell["restarted_day"] = day
    return weight_of_bit(np.int64(cell["set_bits"]) - 1, BITS)


@part_kernel
def note_object(reader, cells, words, history, shelves, sketches, registers, histograms, hashed, day):
    """Note one object; returns whether it is new to its reader."""
    is_heavy = reader["cell"] > 0
    added = _cell_new(reader, cells, words, hashed, day) if is_heavy else _light_new(reader, hashed)
    if added == 0.0:
        return False
    if day > reader["day"]:
        end_day(reader, cells, history, day)
    reader["today"] += added
    reader["total"] += added
    if reader["cell"] > 0:
        cell = np.int64(reader["cell"]) - 1
        history[cell * DAYS_MAX + np.int64(cells[cell]["head"]) % DAYS_MAX] = np.int64(reader["today"])
    sketch_add(sketches, registers, np.int64(reader["shelf"]), hashed)
    count(reader, shelves, histograms)
    return True
