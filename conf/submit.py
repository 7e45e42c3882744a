"""Runs the sparkalbert command under spark-submit.

spark-submit --properties-file conf/spark-defaults.conf conf/submit.py embed reviews.csv --model NAME --output vectors
"""

import sys

from sparkalbert.__main__ import main

sys.exit(main())
