"""Voices: who reported, as far as records tell it, so that one of them is not taken for many."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

Integers = npt.NDArray[np.int64]


def voices(reporter: pd.Series, senders: Sequence[pd.Series] = ()) -> Integers:
    """The voice of each record, shape (n,): whole numbers from 1, equal for one voice; 0: none.

    `reporter`: text that names who reported, missing where nobody is named. `senders`: texts of
    what it was sent with, such as a device, a form or an account. Records of one reporter are one
    voice. Records that name nobody are one voice where they share a sender, also by way of others
    between them; where one that names somebody shares it too, they are the voice of the first of
    these.
    """
    named = pd.factorize(reporter)[0].astype(np.int64) + 1
    unnamed = np.flatnonzero(named == 0)
    if not senders or not len(unnamed):
        return named
    # Values of each sender as numbers that no other has; −1: none.
    numbers, count = [], 0
    for sender in senders:
        codes, known = pd.factorize(sender)
        numbers.append(np.where(codes >= 0, codes + count, -1))
        count += len(known)
    groups = _groups([one[unnamed] for one in numbers], count)
    group_of_record = np.full(len(unnamed), -1)
    for one in numbers:
        there = one[unnamed] >= 0
        group_of_record[there] = groups[one[unnamed][there]]
    voice_of_group = _first_named(named, numbers, groups)
    new = voice_of_group == 0
    voice_of_group[new] = int(named.max(initial=0)) + 1 + np.arange(int(new.sum()))
    told = group_of_record >= 0
    named[unnamed[told]] = voice_of_group[group_of_record[told]]
    return named


def _groups(numbers: Sequence[Integers], count: int) -> Integers:
    """The group of each value of a sender: values of one record are of one group."""
    pairs = [
        (one[both], other[both])
        for n, one in enumerate(numbers)
        for other in numbers[n + 1 :]
        if (both := (one >= 0) & (other >= 0)).any()
    ]
    ends = [np.concatenate(each) for each in zip(*pairs, strict=True)] or [np.empty(0, int)] * 2
    joined = coo_array((np.ones(len(ends[0])), (ends[0], ends[1])), shape=(count, count))
    groups: Integers = connected_components(joined, directed=False)[1].astype(np.int64)
    return groups


def _first_named(named: Integers, numbers: Sequence[Integers], groups: Integers) -> Integers:
    """The voice of the first record of a group that names somebody; 0: none does."""
    voice = np.zeros(int(groups.max(initial=-1)) + 1, np.int64)
    for record in np.flatnonzero(named > 0)[::-1]:
        for one in numbers:
            if one[record] >= 0:
                voice[groups[one[record]]] = named[record]
    return voice
