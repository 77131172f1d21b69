"""The disk cache of kernels: what it cannot read any more counts as not there."""

import pytest

from chipsim.kernels.compiled import _forgetful


@pytest.mark.parametrize("error", [AttributeError, ImportError])
def test_an_index_that_names_moved_records_is_empty(error):
    def load():
        raise error("no such record any more")

    assert _forgetful(load)() == {}
    assert _forgetful(lambda: {"kernel": "file"})() == {"kernel": "file"}
