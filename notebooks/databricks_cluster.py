# Databricks notebook source
# MAGIC %md
# MAGIC # Token vectors on a Databricks cluster
# MAGIC
# MAGIC One vector per token, from a table of texts to a table of vectors, on a cluster with a classic session: access mode
# MAGIC *dedicated*, runtime 15.4 LTS or newer. For serverless compute and for access mode *standard*, which are Spark Connect,
# MAGIC see [databricks_serverless](databricks_serverless.py).
# MAGIC
# MAGIC Before the first run, build the wheel (`make wheel`) and copy it to a volume. Nothing else is installed: no jar, no Maven
# MAGIC coordinates, no restart of the cluster. Outside Databricks the same cells run as a Python script.

# COMMAND ----------

# MAGIC %pip install /Volumes/main/default/wheels/sparkalbert-0.1.0-py3-none-any.whl

# COMMAND ----------

# MAGIC %restart_python

# COMMAND ----------

# MAGIC %md
# MAGIC ## What to embed
# MAGIC
# MAGIC The widgets appear above the notebook. `model` is a folder on a volume, which every node reads in place, or
# MAGIC `albert_mini_en`, which is part of the package; other names need the extras `hub` and `convert`. `source` is a table with a column `id`; without one a few sentences stand in.

# COMMAND ----------

settings = {"model": "albert_mini_en", "source": "", "text_column": "text", "target": "token_vectors"}
if "dbutils" in globals():
    for name, value in settings.items():
        dbutils.widgets.text(name, value)  # noqa: F821 - a global of Databricks notebooks
        settings[name] = dbutils.widgets.get(name)  # noqa: F821
settings

# COMMAND ----------

from pyspark.sql import functions as F

import sparkalbert

spark = sparkalbert.start()  # the session of the notebook
if settings["source"]:
    texts = spark.table(settings["source"]).withColumnRenamed(settings["text_column"], "text")
else:
    sentences = ["The bank refused the loan.", "We rowed to the bank. It was muddy.", ""]
    texts = spark.createDataFrame(list(enumerate(sentences)), "id long, text string")
texts.show(3, truncate=60)

# COMMAND ----------

# MAGIC %md
# MAGIC ## The pipeline
# MAGIC
# MAGIC The stages, Params and columns are those of Spark NLP. `outputCol` holds one annotation per token.

# COMMAND ----------

from pyspark.ml import Pipeline

from sparkalbert import AlbertEmbeddings, DocumentAssembler, SentenceDetector, Tokenizer

document = DocumentAssembler().setInputCol("text").setOutputCol("document")
sentence = SentenceDetector().setInputCols(["document"]).setOutputCol("sentence")
token = Tokenizer().setInputCols(["sentence"]).setOutputCol("token")
embeddings = AlbertEmbeddings.pretrained(settings["model"]).setInputCols("sentence", "token").setOutputCol("embeddings")
pipeline = Pipeline(stages=[document, sentence, token, embeddings]).fit(texts)
result = pipeline.transform(texts)

# COMMAND ----------

# MAGIC %md
# MAGIC ## Write it
# MAGIC
# MAGIC One row per token. A table is written once per run; to merge into an existing one, write to a staging table first, so
# MAGIC that the model runs once.

# COMMAND ----------

words = result.select(*texts.drop("text").columns, F.explode("embeddings").alias("word")).select(
    *texts.drop("text").columns,
    F.col("word.result").alias("token"),
    F.col("word.begin"),
    F.col("word.end"),
    F.col("word.embeddings").alias("vector"),
)
words.write.mode("overwrite").saveAsTable(settings["target"])
written = spark.table(settings["target"])
written.withColumn("vector", F.slice("vector", 1, 4)).orderBy("id", "begin").show(5, truncate=False)

# COMMAND ----------

# MAGIC %md
# MAGIC Every token has a vector, and each vector is the same whatever the number of nodes and the size of the partitions.

# COMMAND ----------

tokens, with_vector = written.agg(F.count("*"), F.count(F.when(F.size("vector") > 0, 1))).first()
assert tokens == with_vector
tokens
