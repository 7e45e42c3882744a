"""Distillation of a small ALBERT student from a sentence-embedding teacher (extra ``distill``).

A layer beside ``convert``: it needs torch and transformers, which nothing at run time does.
"""
