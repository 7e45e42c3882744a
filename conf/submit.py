"""The sparkalbert command as the script that spark-submit runs.

spark-submit --properties-file conf/spark-defaults.conf conf/submit.py embed reviews.csv --output vectors
"""

import sys

from sparkalbert.__main__ import main

sys.exit(main())
