"""The page on the exporter states what ran: versions, date, and PASS or every test that failed."""

import datetime

import newest

DAY = datetime.date(2026, 1, 2)
FOUND = {"tensorflow": "2.21.0", "tf2onnx": "1.17.0"}


def test_a_run_that_passed():
    page = newest.page(FOUND, 0, "....\n12 passed in 3s\n", DAY)
    assert "2026-01-02" in page and "**PASS** (12 passed in 3s)" in page
    assert "| tf2onnx | 1.17.0 |" in page and "broke" not in page


def test_a_run_that_failed_names_what_broke():
    output = "FAILED tests/export/test_to_onnx.py::test_a - ValueError: x\nERROR tests/b.py\n1 failed, 1 error in 2s"
    page = newest.page(FOUND, 1, output, DAY)
    assert "**FAIL** (1 failed, 1 error in 2s)" in page
    assert "- `tests/export/test_to_onnx.py::test_a - ValueError: x`" in page and "- `tests/b.py`" in page


def test_a_run_that_ended_without_a_test():
    assert "- pytest ended with 4: no output" in newest.page(FOUND, 4, "", DAY)
