# Databricks notebook source
# MAGIC %md
# MAGIC # Sentence vectors on Databricks serverless
# MAGIC
# MAGIC One vector per sentence, on serverless compute (environment version 4 or newer) or a cluster of access mode *standard*.
# MAGIC Both are Spark Connect: there is no `sparkContext`, no JVM and no broadcast, workers have no network, and on serverless
# MAGIC Python code may take 1 GB. The stages need none of the former and keep to the latter.
# MAGIC
# MAGIC Before the first run, build the wheel (`make wheel`) and copy it to a volume. Outside Databricks the same cells run as
# MAGIC a Python script, on a classic session and on a Spark Connect server.

# COMMAND ----------

# MAGIC %pip install /Volumes/main/default/wheels/sparkalbert-0.1.0-py3-none-any.whl

# COMMAND ----------

# MAGIC %restart_python

# COMMAND ----------

# MAGIC %md
# MAGIC ## What to embed
# MAGIC
# MAGIC The widgets appear above the notebook. `model` is a folder on a volume, which the workers read in place, or
# MAGIC `albert_mini_en`, which is part of the package; other names need the extras `hub` and `convert`. `source` is a table with a column `id`; without one a few reviews stand in.
# MAGIC `budget_mb` is what the Python workers of a task may take together: arrays are sized to stay below, and a model that
# MAGIC cannot is refused before anything runs.

# COMMAND ----------

settings = {
    "model": "albert_mini_en",
    "source": "",
    "text_column": "text",
    "target": "sentence_vectors",
    "budget_mb": "900",
}
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
    reviews = ["The bank refused the loan. We were surprised.", "We rowed to the bank. It was muddy.", None]
    texts = spark.createDataFrame(list(enumerate(reviews)), "id long, text string")
texts.show(3, truncate=60)

# COMMAND ----------

# MAGIC %md
# MAGIC ## The pipeline
# MAGIC
# MAGIC * `outputLevel` `sentence`: one vector per sentence, the mean of those of its tokens.
# MAGIC * `onError` `null`: a row that cannot be embedded is null, and the column `vectors_error` says why. The job goes on.

# COMMAND ----------

from pyspark.ml import Pipeline

from sparkalbert import AlbertEmbeddings, DocumentAssembler, SentenceDetector, Tokenizer

document = DocumentAssembler().setInputCol("text").setOutputCol("document")
sentence = SentenceDetector().setInputCols(["document"]).setOutputCol("sentence")
token = Tokenizer().setInputCols(["sentence"]).setOutputCol("token")
embeddings = (
    AlbertEmbeddings.pretrained(settings["model"])
    .setInputCols("sentence", "token")
    .setOutputCol("vectors")
    .setOutputLevel("sentence")
    .setOnError("null")
    .setMemoryBudgetMb(int(settings["budget_mb"]))
)
pipeline = Pipeline(stages=[document, sentence, token, embeddings]).fit(texts)
result = pipeline.transform(texts)

# COMMAND ----------

# MAGIC %md
# MAGIC ## Write it

# COMMAND ----------

sentences = result.withColumn("sentences", F.col("sentence.result")).selectExpr(
    "id", "vectors_error AS error", "inline_outer(arrays_zip(sentences, vectors)) AS (sentence, vector)"
)
sentences.write.mode("overwrite").saveAsTable(settings["target"])
written = spark.table(settings["target"])
written.withColumn("vector", F.slice("vector", 1, 4)).orderBy("id").show(5, truncate=False)

# COMMAND ----------

# MAGIC %md
# MAGIC ## Use it
# MAGIC
# MAGIC What is most like a sentence of your own? `WordEmbedder` gives its vector in this process, with the bits that Spark gives,
# MAGIC and Spark compares.

# COMMAND ----------

with sparkalbert.WordEmbedder.load(settings["model"]) as embedder:
    (question,) = embedder.text_vectors(["They were denied a credit."])


def dot(left, right):
    return F.aggregate(F.zip_with(left, right, lambda a, b: a * b), F.lit(0.0), lambda total, term: total + term)


asked = F.array(*[F.lit(float(number)) for number in question])
vector = F.transform("vector", lambda number: number.cast("double"))
likeness = dot(vector, asked) / F.sqrt(dot(vector, vector) * dot(asked, asked))
written.select("sentence", likeness.alias("likeness")).orderBy(F.desc("likeness")).show(3, truncate=False)
