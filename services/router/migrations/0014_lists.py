"""By what the desk lists conversations."""

from alembic.op import get_bind, get_context

from shared.storage.migrate import change_indexes

revision = "router_0014"
down_revision = "router_0013"

FILL = """WITH next AS (SELECT id FROM conversation WHERE id > %(after)s ORDER BY id LIMIT 2000 FOR NO KEY UPDATE),
    filled AS (UPDATE conversation c SET listed_at = last_at FROM next WHERE c.id = next.id AND c.listed_at <> c.last_at)
SELECT id FROM next ORDER BY id DESC LIMIT 1"""


def upgrade() -> None:
    """Each conversation is listed by its newest message, a few thousand at a time: nobody waits long for a row."""
    with get_context().autocommit_block():
        after = "00000000-0000-0000-0000-000000000000"
        while found := get_bind().exec_driver_sql(FILL, {"after": after}).scalar():
            after = str(found)
    change_indexes(__file__)
