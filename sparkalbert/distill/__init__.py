"""Trains a small ALBERT on the word and text vectors of a sentence encoder (extra ``distill``).

Requires torch and transformers, which nothing needs at run time.
"""
