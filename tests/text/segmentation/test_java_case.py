"""Lower case as java.lang.String makes it; make test-peers compares every character with the JVM."""

import pytest

from sparkalbert.text.segmentation.java_case import lower_java

# Seen on Java 17: String.toLowerCase(new Locale(...)).
CASES = [
    ("", "ISI \u0130\u0130 I\u0307", "isi i\u0307i\u0307 i\u0307"),
    ("en", "\u03a4\u0395\u039b\u039f\u03a3 \u03a3", "\u03c4\u03b5\u03bb\u03bf\u03c2 \u03c3"),
    ("tr", "ISI \u0130 I\u0307 I\u0323\u0307 I\u0301\u0307", "\u0131s\u0131 i i i\u0323 \u0131\u0301\u0307"),
    ("az", "I", "\u0131"),
    ("tr_TR", "I", "i"),
    ("lt", "I J\u0300 \u012e\u0301 I\u0323\u0300", "i j\u0307\u0300 \u012f\u0307\u0301 i\u0307\u0323\u0300"),
    ("lt", "\u00cc\u00cd\u0128", "i\u0307\u0300i\u0307\u0301i\u0307\u0303"),
]


@pytest.mark.parametrize(("locale", "text", "expected"), CASES)
def test_lower_case(locale, text, expected):
    assert lower_java(text, locale) == expected
