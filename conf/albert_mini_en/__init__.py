"""The recipe of ``albert_mini_en``: its sources, its vocabulary, its training and its figures."""
