"""The page on the exporter states what ran: versions, date, and PASS or every test that failed."""

import datetime
import sys

import newest
import numpy

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


def test_the_versions_are_those_of_the_environment():
    assert newest.versions(sys.executable)["numpy"] == numpy.__version__


def test_uv_gets_the_settings_of_pip():
    """It does not read them; a variable comes before a file, as with pip."""
    settings = """:env:.cert='/etc/one.crt'
:env:.find-links='/wheels'
global.cert='/etc/two.crt'
global.constraint='/etc/pip/constraints.txt'
global.extra-index-url='file:///a file:///b'
global.find-links='/other'
install.index-url='https://packages.example/simple'
"""
    options, variables = newest.as_uv_takes_them(settings)
    assert options == [
        "--index-strategy", "unsafe-best-match", "--index-url", "https://packages.example/simple",
        "--extra-index-url", "file:///a", "--extra-index-url", "file:///b",
        "--find-links", "/wheels", "--constraint", "/etc/pip/constraints.txt",
    ]  # fmt: skip
    assert variables == {"SSL_CERT_FILE": "/etc/one.crt"}
    assert newest.as_uv_takes_them("") == (options[:2], {})
