"""What a lane knows of the orders of its endpoint."""

from __future__ import annotations

from flow_parts import make_due

from webhook_engine.delivery.schedule.orders import MAX_GATHERING, Orders


def test_one_of_an_order_is_under_way_at_a_time() -> None:
    orders = Orders()
    first, second = (make_due(name, due_at=5, order_key="a") for name in ("msg_1", "msg_2"))
    assert orders.begin(first)
    assert orders.begin(make_due("msg_3", order_key="b"))
    assert orders.begin(make_due("msg_4"))
    assert not orders.waits(first)
    assert not orders.begin(second)
    assert orders.end(second) is None
    assert orders.end(first) == 5
    assert orders.begin(second)
    assert orders.end(second) is None


def test_what_a_person_asked_for_waits_for_nobody_and_holds_nobody_up() -> None:
    orders = Orders()
    by_hand = make_due("msg_1", manual_id="atmpt_1", order_key="a")
    assert orders.begin(by_hand)
    assert orders.begin(make_due("msg_2", order_key="a"))
    assert not orders.waits(by_hand)
    assert orders.end(by_hand) is None


def test_the_first_of_an_order_wait_until_there_are_enough_or_their_time_is_over() -> None:
    orders = Orders()
    for key in ("a", "b"):
        assert orders.gather(make_due("msg_1", order_key=key), missing=2, until=100)
    assert (orders.gathering, orders.gathering_bytes) == (2, 4)
    assert orders.joined("a", 50)
    assert not orders.joined("a", 50), "there are enough"
    assert orders.gathering_until("b", 99) == 100
    assert orders.gathering_until("b", 100) is None
    assert orders.gathering_until(None, 0) is None
    assert orders.gathering == 0


def test_so_many_orders_wait_and_no_more() -> None:
    orders = Orders()
    for number in range(MAX_GATHERING):
        assert orders.gather(make_due(order_key=str(number)), missing=1, until=100)
    assert not orders.gather(make_due(order_key="another"), missing=1, until=100)
    assert orders.gather(make_due(order_key="0"), missing=1, until=200)
    orders.stop_gathering()
    assert orders.gathering == 0
