"""The one-slot mailbox between two real threads."""

from __future__ import annotations

import threading

import pytest

from realtime.handover import Mailbox, MailboxClosed


def test_newest_wins_and_the_rest_is_counted() -> None:
    box: Mailbox[int] = Mailbox()
    for i in range(5):
        box.put(i)
    assert box.get() == 4
    assert box.overwritten == 4
    with pytest.raises(TimeoutError):
        box.get(timeout_s=0.01)


def test_every_item_is_taken_or_counted() -> None:
    box: Mailbox[int] = Mailbox()
    taken: list[int] = []
    receiver = threading.Thread(target=lambda: taken.extend(box))
    receiver.start()
    for i in range(20_000):
        box.put(i)
    box.close()
    receiver.join(10)
    assert not receiver.is_alive()
    assert taken == sorted(set(taken))
    assert taken[-1] == 19_999
    assert len(taken) + box.overwritten == 20_000


def test_close_wakes_everyone() -> None:
    box: Mailbox[int] = Mailbox()
    ended: list[list[int]] = []
    receivers = [threading.Thread(target=lambda: ended.append(list(box))) for _ in range(3)]
    for receiver in receivers:
        receiver.start()
    box.close()
    for receiver in receivers:
        receiver.join(10)
    assert ended == [[], [], []]


def test_last_item_survives_close_and_later_ones_do_not() -> None:
    box: Mailbox[str] = Mailbox()
    box.put("last")
    box.close()
    box.put("too late")
    assert box.get() == "last"
    with pytest.raises(MailboxClosed):
        box.get()


def test_none_is_an_item() -> None:
    box: Mailbox[None] = Mailbox()
    box.put(None)
    assert box.get(timeout_s=0) is None
