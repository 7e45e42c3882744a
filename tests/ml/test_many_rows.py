"""The script that measures very many rows runs on a few."""

import pytest

from sparkalbert.bench.processes import busy_cpu_s
from tests.ml import many_rows


@pytest.mark.skipif(busy_cpu_s() is None, reason="CPU seconds are unknown here")
def test_every_part_has_rates_and_memory(spark, capsys):
    many_rows.main("short", "400", "albert_mini_en", "1")
    title, header, *lines = capsys.readouterr().out.splitlines()
    assert title.startswith("400 short rows, albert_mini_en, layer 1; CPU:")
    assert header.split() == ["s", "tokens/s", "per", "CPU", "s", "JVM", "MB", "workers", "MB"]
    values = [[float(value.replace(",", "")) for value in line.split()] for line in lines]
    assert len(values) == 10
    ends_s = [line[0] for line in values]
    assert ends_s == sorted(ends_s)
    assert all(value > 0 for line in values for value in line[1:])
