"""What amends a message and stands before it in one batch waits for it, as it does in two."""

from __future__ import annotations

import pytest

from tests.promises.house import Customer, House, as_read


@pytest.mark.parametrize("together", [True, False], ids=["one batch", "two batches"])
async def test_an_edit_ahead_of_its_message_is_applied_to_it(house: House, together: bool) -> None:
    customer = Customer()
    house.allows(customer)
    conversation = await house.opened(customer)
    records = [customer.edits("m1", "changed", minutes=2), customer.says("first", name="m1", minutes=1)]
    for batch in [records] if together else [[record] for record in records]:
        await house.take(*(as_read(record, offset=n) for n, record in enumerate(batch)))
    story = await house.story(conversation)
    assert [event["type"] for event in story][-2:] == ["message.received", "message.edited"]
    assert story[-1]["message_id"] == story[-2]["message"]["id"]
