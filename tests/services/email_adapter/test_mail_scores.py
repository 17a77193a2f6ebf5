"""What docs/email.md says of how well mails are read is so, and no score falls without being seen."""

import pytest

from tests.scores import CORPORA
from tests.scores.__main__ import ALL, shown, table

pytestmark = pytest.mark.skipif(not CORPORA.is_dir(), reason=f"there are no collections of mails at {CORPORA}")


@pytest.mark.parametrize("scores", ALL, ids=lambda each: each.__name__)
def test_a_score_is_as_promised_and_as_the_page_tells_it(scores):
    found = scores()
    assert [score for score in found if not score.holds] == []
    told = shown().splitlines()
    assert [row for row in table(found).splitlines() if row not in told] == [], "`make scores` writes them, commit that"
